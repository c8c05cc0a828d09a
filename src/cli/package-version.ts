import { readFileSync } from 'node:fs'

/** Of this package. */
export function packageVersion(): string {
  // Two folders up from the sources and from the build alike.
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
