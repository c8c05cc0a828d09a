import { dirname, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const OURS = dirname(import.meta.dirname)

/** Where an error was thrown in files of the user, `topologies/digits.ts:14 (brightest)`; undefined when its stack leads to none. */
export function userFrame(stack: string): string | undefined {
  for (const [, name, at, line] of stack.matchAll(/^ +at (?:(.+) \()?((?:file:\/\/)?\/[^\s)]+?):(\d+):\d+\)?$/gm)) {
    const path = at!.startsWith('file:') ? fileURLToPath(at!) : at!
    if (path.startsWith(`${OURS}/`) || path.includes('/node_modules/')) continue
    const near = relative(process.cwd(), path)
    const shown = near.startsWith('..') ? path : near
    return name === undefined ? `${shown}:${line}` : `${shown}:${line} (${name})`
  }
  return undefined
}
