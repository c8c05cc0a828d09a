/** Inputs that are kept: what was found once, and what is worth trying first. `test/fuzz/corpus.test.ts` replays them. */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Finding } from './pool.ts'

const CORPUS = fileURLToPath(new URL('./corpus/', import.meta.url))
/** Larger ones are told, and not kept. */
const MAX_KEPT_BYTES = 8 * 1024

export interface Case {
  readonly name: string
  readonly bytes: Buffer
}

/** The kept cases of a target. */
export function casesOf(target: string): readonly Case[] {
  const folder = `${CORPUS}${target}/`
  return namesIn(folder).map(name => ({ name, bytes: readFileSync(folder + name) }))
}

/** Targets that have a folder. */
export function targetsWithCases(): readonly string[] {
  return namesIn(CORPUS)
}

/** Keeps a finding; the path of its file from the root of the project, or undefined when it is too large. */
export function keep(target: string, { fault, bytes }: Finding): string | undefined {
  if (bytes.length > MAX_KEPT_BYTES) return undefined
  const name = `${fault.kind}-${createHash('sha256').update(bytes).digest('hex').slice(0, 12)}`
  mkdirSync(CORPUS + target, { recursive: true })
  writeFileSync(`${CORPUS}${target}/${name}`, bytes)
  return `fuzz/corpus/${target}/${name}`
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
