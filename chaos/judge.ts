/**
 * What was read back, held against what was promised. Pure: it knows the records that the checker read, what the producer was
 * told of its own, and `events.ts`; nothing of the application, and none of its code.
 *
 * J1. Every record whose write was acknowledged is in the input, once, and in the order of its key.
 * J2. The input is the truth about the first step, the topic between is that about the second: see `hop.ts`.
 */
import {
  type ChaosEvent,
  EVENT_HEADER,
  EXAMPLE_WIDTH,
  eventOf,
  exampleOf,
  headerText,
  keyText,
  SCORE_WIDTH,
  STAGES,
  type Step,
  weightOf,
} from './events.ts'
import { createHop, type Hop, type SeenRecord, textOf } from './hop.ts'

export type Guarantee = 'at_least_once' | 'exactly_once'

export interface ChaosTopics {
  readonly input: string
  readonly between: string
  readonly output: string
  /** Of each step, by stage. */
  readonly letters: Readonly<Record<Step, Readonly<Record<string, string>>>>
}

export interface Verdict {
  /** Records in the input. */
  readonly produced: number
  /** Records on the last topic. */
  readonly outputs: number
  readonly deadLetters: number
  readonly lost: number
  /** Outputs and dead letters, of both steps, beyond the first of their source record. */
  readonly duplicates: number
  readonly orderViolations: number
  readonly wrongValues: number
  /** Dead letters of records that are not marked so, and marked ones that have none. */
  readonly wrongDeadLetters: number
  /** Acknowledged to the producer, and not in the input. */
  readonly inputLost: number
  /** Twice in the input, or behind a later one of their key. */
  readonly inputDuplicates: number
  /** Partitions with a transaction that nobody has ended. */
  readonly undecided: number
  /** The first of what is wrong, in words. */
  readonly findings: readonly string[]
}

export interface Judge {
  /** Topics in the order of `readingOrder`, the records of a partition in that of their offsets. */
  add(record: SeenRecord): void
  /** `undecided`: partitions that could not be read to their end, since a transaction stays open. */
  verdict(undecided?: readonly string[]): Verdict
}

const MAX_FINDINGS = 20

export function topicsOf(name: string): ChaosTopics {
  const letters = (step: Step) => Object.fromEntries(STAGES.map(stage => [stage, `${name}.${step}.failed-${stage}`]))
  return {
    input: `${name}.in`,
    between: `${name}.between`,
    output: `${name}.out`,
    letters: { first: letters('first'), second: letters('second') },
  }
}

/** Sources before what was made of them. */
export function readingOrder({ input, between, output, letters }: ChaosTopics): readonly string[] {
  return [input, between, ...Object.values(letters.first), output, ...Object.values(letters.second)]
}

/** `acknowledged`: how many records of each key the producer knows to be written; their numbers count from 0. */
export function createJudge(
  guarantee: Guarantee,
  topics: ChaosTopics,
  acknowledged: ReadonlyMap<number, number>,
): Judge {
  const findings: string[] = []
  const note = (finding: string) => {
    if (findings.length < MAX_FINDINGS) findings.push(finding)
  }
  const both = { isStrict: guarantee === 'exactly_once', note }
  const { input, between, output, letters } = topics
  const first = createHop({
    ...{ ...both, step: 'first', source: input, output: between, letters: letters.first, expectedOf: scoredOf },
  })
  const second = createHop({
    ...{ ...both, step: 'second', source: between, output, letters: letters.second, expectedOf: totalOf },
  })
  const source = createInput(note)
  const ways = new Map<string, (record: SeenRecord) => void>([
    [input, record => source.add(record, first)],
    [
      between,
      record => {
        const event = first.addOutput(record)
        if (event !== undefined) second.addSource(record, event)
      },
    ],
    [output, record => void second.addOutput(record)],
    ...Object.values(letters.first).map(topic => [topic, first.addLetter] as const),
    ...Object.values(letters.second).map(topic => [topic, second.addLetter] as const),
  ])
  return {
    add(record) {
      const way = ways.get(record.topic)
      if (way === undefined) throw new Error(`a record of ${record.topic}, which is no topic of this run`)
      way(record)
    },
    verdict(undecided = []) {
      for (const where of undecided) note(`${where}: a transaction stays open`)
      const { produced, inputLost, inputDuplicates } = source.tally(acknowledged)
      const [one, two] = [first.tally(), second.tally()]
      return {
        ...{ produced, outputs: two.outputs, deadLetters: one.deadLetters + two.deadLetters },
        ...{ lost: one.lost + two.lost, duplicates: one.duplicates + two.duplicates },
        orderViolations: one.orderViolations + two.orderViolations,
        wrongValues: one.wrongValues + two.wrongValues,
        wrongDeadLetters: one.wrongDeadLetters + two.wrongDeadLetters,
        ...{ inputLost, inputDuplicates, undecided: undecided.length, findings },
      }
    },
  }
}

/** What the producer wrote (J1). */
function createInput(note: (finding: string) => void) {
  const seenOf = new Map<number, number>()
  let produced = 0
  let duplicates = 0
  let lost = 0
  return {
    add(record: SeenRecord, first: Hop) {
      produced++
      const said = textOf(record, EVENT_HEADER) ?? ''
      const [key, number] = said.split('/').map(Number)
      const event = eventOf(key!, number!)
      if (headerText(event) !== said || String(record.key) !== keyText(event.key))
        throw new Error(`the input has a record that nobody of this run wrote: ${said}`)
      const next = seenOf.get(event.key) ?? 0
      if (event.number < next) duplicates++
      else lost += event.number - next
      if (event.number !== next) note(`${said}: in the input behind number ${next - 1}`)
      seenOf.set(event.key, Math.max(next, event.number + 1))
      first.addSource(record, event)
    },
    tally(acknowledged: ReadonlyMap<number, number>) {
      for (const [key, count] of acknowledged) {
        const missing = count - (seenOf.get(key) ?? 0)
        if (missing <= 0) continue
        lost += missing
        note(`${keyText(key)}: ${count} were acknowledged, the input has ${count - missing}`)
      }
      return { produced, inputLost: lost, inputDuplicates: duplicates }
    },
  }
}

/** What the first step makes of a good record: whole numbers, so there is one right answer. */
function scoredOf(event: ChaosEvent) {
  const example = exampleOf(event)
  const scores = Array.from({ length: SCORE_WIDTH }, (_, column) => {
    let sum = 0
    for (let row = 0; row < EXAMPLE_WIDTH; row++) sum += example[row]! * weightOf(row, column)
    return sum
  })
  return { example, scores, modelId: 'scorer.onnx' }
}

/** And the second: the polynomial 7, s₀, s₁, … at 31, modulo 65,521. */
function totalOf(event: ChaosEvent) {
  const scored = scoredOf(event)
  const powers = [7, ...scored.scores].map((digit, i) => BigInt(digit) * 31n ** BigInt(SCORE_WIDTH - i))
  const sum = powers.reduce((total, term) => total + term, 0n)
  return { ...scored, total: Number(((sum % 65_521n) + 65_521n) % 65_521n), totalledBy: 'totaller' }
}
