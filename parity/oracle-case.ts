import { readdirSync, readFileSync } from 'node:fs'

/** One recorded case; `oracle/README.md` says how they were recorded. */
export interface OracleCase {
  readonly name: string
  readonly description: string
  readonly input: unknown
  readonly config: unknown
  readonly expected: unknown
  readonly notes: string | null
}

const FOLDER = new URL('./oracle/', import.meta.url)

/** All cases, by name. */
export function readCases(): OracleCase[] {
  const files = readdirSync(FOLDER).filter(file => file.endsWith('.json'))
  return files.sort().map(file => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as OracleCase)
}
