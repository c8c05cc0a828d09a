import { parseArgs } from 'node:util'

export interface DemoFlags {
  readonly records: number
  readonly partitions: number
  readonly json: boolean
  readonly keep: boolean
  readonly help: boolean
}

/** What is wrong with the command line; exit code 2. */
export class BadFlag extends Error {}

export const HELP = `Usage: npm run demo [-- flags]

Starts Kafka and a schema registry on this machine (or uses KRI_BROKERS and KRI_REGISTRY_URL), writes handwritten
digits with some bad records among them, and classifies them with topologies/digits.ts as a consumer group. In the middle
of the run a bad model is published, which must change nothing, and then a better one, which must take over. Reads every
topic back and checks that nothing was lost, doubled, reordered or wrong, each prediction by the model that it names.
Exit code 0 only when all of that holds.

  --records N      how many records to write, 2 to 5,000,000 (default 54,000)
  --partitions N   of every topic, 1 to 100 (default 4)
  --json           nothing but one JSON object on standard output; progress goes to standard error
  --keep           then stay up with an instance and its console open, until Ctrl-C; a model with a flaw serves there, and
                   some digits fail for it, to be found, mended and replayed
  --help           this text
`

/** Throws BadFlag. */
export function parseFlags(args: readonly string[]): DemoFlags {
  const { values } = parse(args)
  return {
    // One for each model.
    records: count('--records', values.records, 2, 5_000_000),
    partitions: count('--partitions', values.partitions, 1, 100),
    json: values.json,
    keep: values.keep,
    help: values.help,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        records: { type: 'string', default: '54000' },
        partitions: { type: 'string', default: '4' },
        json: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    throw new BadFlag((error as Error).message)
  }
}

function count(flag: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= min && value <= max) return value
  throw new BadFlag(`${flag} takes a whole number from ${min} to ${max}, got "${text}"`)
}
