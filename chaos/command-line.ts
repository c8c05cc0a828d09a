/** What the command lines of the two programs here have in common. */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import type { Guarantee } from './judge.ts'

/** What is wrong with the command line; exit code 2. */
export class BadFlag extends Error {}

export const SWITCH = { type: 'boolean', default: false } as const
/** Both programs have them. */
export const COMMON = {
  guarantee: { type: 'string', default: 'at_least_once' },
  json: SWITCH,
  help: { ...SWITCH, short: 'h' },
} as const

const GUARANTEES: readonly Guarantee[] = ['at_least_once', 'exactly_once']

/** Throws BadFlag. */
export function flagValues<const T extends ParseArgsOptionsConfig>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], options }).values
  } catch (error) {
    throw new BadFlag((error as Error).message)
  }
}

export function guarantee(text: string): Guarantee {
  return oneOf('--guarantee', text, GUARANTEES)
}

export function whole(flag: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= least && value <= most) return value
  throw new BadFlag(`${flag} takes a whole number from ${least} to ${most}, got "${text}"`)
}

export function oneOf<T extends string>(flag: string, text: string, choices: readonly T[]): T {
  const found = choices.find(choice => choice === text)
  if (found === undefined) throw new BadFlag(`${flag} takes ${choices.join(', ')}, got "${text}"`)
  return found
}
