/** What cases that differ on purpose give here, kept in `here/`: a difference must not hide that something else has changed. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

const FOLDER = new URL('./here/', import.meta.url)

/** Undefined where nothing is kept. */
export function readKept(name: string): unknown {
  const file = fileOf(name)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
}

/** Keeps what a case gives; one that gives what was recorded needs nothing. */
export function keep(name: string, actual: unknown, isSame: boolean): void {
  rmSync(fileOf(name), { force: true })
  if (isSame) return
  mkdirSync(FOLDER, { recursive: true })
  writeFileSync(fileOf(name), `${JSON.stringify(actual, null, 1)}\n`)
}

function fileOf(name: string): URL {
  return new URL(`${name}.json`, FOLDER)
}
