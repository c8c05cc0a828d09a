/**
 * `npm run image:tree -- FOLDER`: lays out in an empty folder the files that the Dockerfile puts into the image, by following
 * it line by line, without Docker; prints how many there are and how large. What belongs to the base image (its system, Node,
 * what apt-get adds) is not there.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { basename, delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type DockerStage, execForm, isInContext, parseCopy, parseDockerfile, parsePairs } from './dockerfile.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

export interface ImageTree {
  /** Where the root of the image lies. */
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
  readonly workdir: string
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  readonly files: number
  readonly bytes: number
}

/** Lays the image out in `folder`, which must not exist yet. */
export function layOutImage(folder: string): ImageTree {
  if (existsSync(folder)) throw new Error(`${folder} exists already`)
  const stages = parseDockerfile(readFileSync(join(root, 'Dockerfile'), 'utf8'))
  const folders = new Map(stages.map(({ name }) => [name, name === undefined ? folder : `${folder}.${name}`]))
  const results = stages.map(stage => layOutStage(stage, folders.get(stage.name)!, name => folders.get(name)!))
  for (const [name, stageFolder] of folders) if (name !== undefined) rmSync(stageFolder, { recursive: true })
  const image = stages.at(-1)!
  const sizes = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => statSync(join(entry.parentPath, entry.name)).size)
  return {
    folder,
    ...results.at(-1)!,
    entrypoint: execForm(image, 'ENTRYPOINT'),
    cmd: execForm(image, 'CMD'),
    files: sizes.length,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
  }
}

function layOutStage(
  stage: DockerStage,
  folder: string,
  folderOf: (stage: string) => string,
): { readonly env: Readonly<Record<string, string>>; readonly workdir: string } {
  const env: Record<string, string> = {}
  let workdir = '/'
  for (const { name, text } of stage.instructions) {
    const cwd = join(folder, workdir)
    mkdirSync(cwd, { recursive: true })
    if (name === 'WORKDIR') workdir = resolve(workdir, text)
    else if (name === 'ENV') Object.assign(env, parsePairs(text))
    else if (name === 'COPY') copy(text, cwd, folderOf)
    // The base image's own system is not laid out, so nothing can be added to it.
    else if (name === 'RUN' && !text.startsWith('apt-get')) run(text, cwd, env)
  }
  return { env, workdir }
}

function copy(text: string, cwd: string, folderOf: (stage: string) => string): void {
  const { from, sources, target } = parseCopy(text)
  const dockerignore = readFileSync(join(root, '.dockerignore'), 'utf8')
  for (const source of sources) {
    if (from === undefined && !isInContext(dockerignore, source))
      throw new Error(`COPY ${text}: .dockerignore keeps ${source} out of the build`)
    const path = from === undefined ? join(root, source) : join(folderOf(from), source)
    // A folder's content goes into the target; files keep their names in a target that is a folder.
    const isFolder = statSync(path).isDirectory() || !target.endsWith('/')
    cpSync(path, isFolder ? resolve(cwd, target) : resolve(cwd, target, basename(path)), {
      recursive: true,
      verbatimSymlinks: true,
    })
  }
}

function run(command: string, cwd: string, env: Readonly<Record<string, string>>): void {
  const path = `${dirname(process.execPath)}${delimiter}${process.env.PATH}`
  // Standard output belongs to the result.
  execFileSync('/bin/sh', ['-c', command], {
    cwd,
    env: { ...process.env, ...env, PATH: path },
    stdio: ['ignore', 2, 2],
  })
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2)
  if (folder === undefined) throw new Error('usage: npm run image:tree -- FOLDER')
  const { files, bytes, workdir, entrypoint, cmd } = layOutImage(resolve(folder))
  console.log(`${files} files, ${(bytes / 1e6).toFixed(1)} MB; in ${workdir}: ${[...entrypoint, ...cmd].join(' ')}`)
}
