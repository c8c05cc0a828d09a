/** Reads the part of the Dockerfile language that our Dockerfile uses; anything else is an error, so that nothing is overlooked. */

export interface Instruction {
  readonly name: string
  /** All after the name, lines joined. */
  readonly text: string
}

export interface DockerStage {
  readonly from: string
  /** After `AS`. */
  readonly name: string | undefined
  readonly instructions: readonly Instruction[]
}

const KNOWN = /^(COPY|RUN|WORKDIR|ENV|LABEL|USER|EXPOSE|STOPSIGNAL|HEALTHCHECK|ENTRYPOINT|CMD)$/

/** The stages of a Dockerfile, in order; the last one is the image. */
export function parseDockerfile(text: string): readonly DockerStage[] {
  const stages: { from: string; name: string | undefined; instructions: Instruction[] }[] = []
  const uncommented = text.replaceAll(/^\s*#.*\n/gm, '').replaceAll(/\\\n\s*/g, '')
  for (const line of uncommented.split('\n').filter(candidate => candidate.trim() !== '')) {
    const [, name = '', rest = ''] = /^([A-Z]+)\s+(.+)$/.exec(line.trim()) ?? []
    const from = /^(\S+)(?: AS (\S+))?$/.exec(rest)
    if (name === 'FROM' && from !== null) stages.push({ from: from[1]!, name: from[2], instructions: [] })
    else if (KNOWN.test(name) && stages.length > 0) stages.at(-1)!.instructions.push({ name, text: rest })
    else throw new Error(`the Dockerfile has an instruction that this project does not follow: ${line}`)
  }
  return stages
}

/** A COPY: what, where to, and from which stage (undefined = the build context). */
export function parseCopy(text: string): {
  readonly from: string | undefined
  readonly sources: readonly string[]
  readonly target: string
} {
  const words = text.split(/\s+/)
  const from = words[0]!.startsWith('--from=') ? words.shift()!.slice('--from='.length) : undefined
  if (words.length < 2 || words.some(word => word.startsWith('--'))) throw new Error(`COPY ${text}: not understood`)
  return { from, sources: words.slice(0, -1), target: words.at(-1)! }
}

/** Name and value of every pair of an ENV or LABEL. */
export function parsePairs(text: string): Readonly<Record<string, string>> {
  const pairs = [...text.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S+))/g)]
  return Object.fromEntries(pairs.map(([, name, quoted, plain]) => [name!, quoted ?? plain!]))
}

/** The last instruction of a name in exec form. */
export function execForm(stage: DockerStage, name: 'ENTRYPOINT' | 'CMD'): readonly string[] {
  return JSON.parse(stage.instructions.findLast(instruction => instruction.name === name)!.text) as string[]
}

/** True when a .dockerignore that leaves out everything but named paths lets this one into the build. */
export function isInContext(dockerignore: string, path: string): boolean {
  const lines = dockerignore.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  if (lines[0] !== '*' || lines.slice(1).some(line => !line.startsWith('!')))
    throw new Error('.dockerignore is expected to be a line "*", and then what is let in, each with "!"')
  return lines.slice(1).some(line => path === line.slice(1) || path.startsWith(`${line.slice(1)}/`))
}
