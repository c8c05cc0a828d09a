import { COMMON, flagValues, guarantee, oneOf, SWITCH, whole } from './command-line.ts'
import { FAULT_KINDS, type FaultKind } from './faults.ts'
import type { Guarantee } from './judge.ts'

export interface ChaosFlags {
  readonly seconds: number
  /** No kind of fault comes more often. */
  readonly rounds: number
  readonly calmSeconds: number
  readonly guarantee: Guarantee
  readonly faults: readonly FaultKind[]
  readonly seed: number
  readonly rate: number
  readonly broken: boolean
  readonly json: boolean
  readonly help: boolean
}

export const HELP = `Usage: npm run chaos [-- flags]

Starts three brokers and a schema registry on this machine, writes numbered records, has three instances of kri run take
them through two steps, and does to all of them what --faults names. Then it lets everything drain, reads every topic back
with the Java client, and checks it. Exit code 0 only when every promise held. chaos/README.md says what is checked.

  --seconds N          how long faults happen, from 5 (default 120)
  --rounds N           ends sooner, when each kind of fault came so often
  --guarantee NAME     at_least_once (default) or exactly_once
  --faults LIST        some of ${FAULT_KINDS.join(',')}, or none (default: all)
  --seed N             the course of the faults follows from it (default: a random one, which is told)
  --rate N             records a second that are written, from 10 to 20000 (default 400)
  --calm-seconds N     how long it runs before the first fault (default: a fifth of --seconds, 60 at most)
  --broken             instead of all this: runs builds that were broken on purpose; exit code 0 when the checker saw it
  --json               nothing but one JSON object on standard output; progress goes to standard error
  --help               this text
`

const OPTIONS = {
  ...COMMON,
  seconds: { type: 'string', default: '120' },
  rounds: { type: 'string' },
  'calm-seconds': { type: 'string' },
  faults: { type: 'string', default: FAULT_KINDS.join() },
  seed: { type: 'string' },
  rate: { type: 'string', default: '400' },
  broken: SWITCH,
} as const

/** Throws BadFlag. */
export function parseFlags(args: readonly string[]): ChaosFlags {
  const values = flagValues(args, OPTIONS)
  const seconds = whole('--seconds', values.seconds, 5, 86_400)
  const calm = values['calm-seconds']
  return {
    seconds,
    rounds: values.rounds === undefined ? Number.POSITIVE_INFINITY : whole('--rounds', values.rounds, 1, 10_000),
    calmSeconds: calm === undefined ? Math.min(60, Math.ceil(seconds / 5)) : whole('--calm-seconds', calm, 1, 3_600),
    guarantee: guarantee(values.guarantee),
    faults: values.faults === 'none' ? [] : values.faults.split(',').map(each => oneOf('--faults', each, FAULT_KINDS)),
    seed: values.seed === undefined ? Math.floor(Math.random() * 1e9) : whole('--seed', values.seed, 0, 0xffff_ffff),
    rate: whole('--rate', values.rate, 10, 20_000),
    broken: values.broken,
    json: values.json,
    help: values.help,
  }
}
