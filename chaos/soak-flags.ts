import { COMMON, flagValues, guarantee, whole } from './command-line.ts'
import type { Guarantee } from './judge.ts'

export interface SoakFlags {
  readonly minutes: number
  readonly guarantee: Guarantee
  /** Undefined: half of what comes through at most. */
  readonly rate: number | undefined
  readonly json: boolean
  readonly help: boolean
}

export const SOAK_HELP = `Usage: npm run soak [-- flags]

Three brokers, a registry, three instances of kri run, half the load that they can take, and no faults: looks every few
seconds at memory, file descriptors and lag. Exit code 0 only when they stay where they are. See chaos/README.md.

  --minutes N          how long (default 30)
  --guarantee NAME     at_least_once (default) or exactly_once
  --rate N             records a second, instead of half of what comes through at most
  --json               nothing but one JSON object on standard output; progress goes to standard error
  --help               this text
`

const OPTIONS = { ...COMMON, minutes: { type: 'string', default: '30' }, rate: { type: 'string' } } as const

/** Throws BadFlag. */
export function parseSoakFlags(args: readonly string[]): SoakFlags {
  const values = flagValues(args, OPTIONS)
  return {
    minutes: whole('--minutes', values.minutes, 1, 10_000),
    guarantee: guarantee(values.guarantee),
    rate: values.rate === undefined ? undefined : whole('--rate', values.rate, 1, 20_000),
    json: values.json,
    help: values.help,
  }
}
