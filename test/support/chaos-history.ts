// Histories of a chaos run, by hand: what the checker would have read.
import {
  type ChaosEvent,
  EVENT_HEADER,
  eventOf,
  exampleOf,
  FATES,
  headerText,
  keyText,
  type Step,
} from '../../chaos/events.ts'
import type { SeenRecord } from '../../chaos/hop.ts'
import { createJudge, type Guarantee, readingOrder, topicsOf, type Verdict } from '../../chaos/judge.ts'

export const TOPICS = topicsOf('t')
const PARTITIONS = 2
const KEYS = 4
/** Enough for each mark to come more than once. */
const NUMBERS = 500

/** Records by topic, in the order in which they were written. */
export type History = Record<string, Written[]>
export type Written = Omit<SeenRecord, 'offset' | 'topic'>

/** A run in which everything went as it must. */
export function goodHistory(): History {
  const history: History = Object.fromEntries(readingOrder(TOPICS).map(topic => [topic, []]))
  const betweenEnds = new Array<number>(PARTITIONS).fill(0)
  const inputEnds = new Array<number>(PARTITIONS).fill(0)
  for (let number = 0; number < NUMBERS; number++)
    for (let key = 0; key < KEYS; key++) {
      const event = eventOf(key, number)
      const partition = key % PARTITIONS
      const source = inputOf(event, partition)
      history[TOPICS.input]!.push(source)
      const from = `${TOPICS.input}/${partition}/${inputEnds[partition]!++}`
      const fate = event.mark === 'good' ? undefined : FATES[event.mark]
      if (fate?.step === 'first') history[TOPICS.letters.first[fate.stage]!]!.push(letterOf(source, from, event))
      else {
        const between = outputOf(source, from, scored(event))
        history[TOPICS.between]!.push(between)
        const next = `${TOPICS.between}/${partition}/${betweenEnds[partition]!++}`
        if (fate === undefined) history[TOPICS.output]!.push(outputOf(between, next, totalled(event)))
        else history[TOPICS.letters.second[fate.stage]!]!.push(letterOf(between, next, event))
      }
    }
  return history
}

export function judged(history: History, guarantee: Guarantee = 'at_least_once', acknowledged = NUMBERS): Verdict {
  const byKey = new Map(Array.from({ length: KEYS }, (_, key) => [key, acknowledged]))
  const judge = createJudge(guarantee, TOPICS, byKey)
  for (const topic of readingOrder(TOPICS)) {
    const ends = new Array<number>(PARTITIONS).fill(0)
    for (const record of history[topic]!) judge.add({ ...record, topic, offset: ends[record.partition]!++ })
  }
  return judge.verdict()
}

/** Where the record of this event stands in a topic. */
export function indexOf(history: History, topic: string, key: number, number: number): number {
  const wanted = headerText(eventOf(key, number))
  return history[topic]!.findIndex(({ headers }) => headers.some(([, value]) => String(value) === wanted))
}

/** The number of the first record of the key that is good, from a number on, or that is marked to fail at a step. */
export function numberOf(key: number, kind: 'good' | Step, from = 0): number {
  for (let number = from; number < NUMBERS; number++) {
    const { mark } = eventOf(key, number)
    if (kind === (mark === 'good' ? 'good' : FATES[mark].step)) return number
  }
  throw new Error(`no ${kind} record from ${from} on`)
}

function inputOf(event: ChaosEvent, partition: number): Written {
  return {
    partition,
    timestamp: 1_000 + event.number,
    key: Buffer.from(keyText(event.key)),
    value: Buffer.from(`the bytes of ${headerText(event)}`),
    headers: [[EVENT_HEADER, Buffer.from(headerText(event))]],
  }
}

export function outputOf(source: Written, from: string, value: unknown): Written {
  return withHeader({ ...source, value: Buffer.from(JSON.stringify(value)) }, 'kri-source', from)
}

function letterOf(source: Written, from: string, { mark }: ChaosEvent): Written {
  const { stage } = FATES[mark as keyof typeof FATES]
  const [topic, partition, offset] = from.split('/')
  const said = {
    'kri-stage': stage,
    'kri-code': CODES[mark]!,
    'kri-original-topic': topic!,
    'kri-original-partition': partition!,
    'kri-original-offset': offset!,
    'kri-original-timestamp': String(source.timestamp),
  }
  const headers = source.headers.filter(([name]) => name !== 'kri-source')
  const ours = Object.entries(said).map(([name, text]) => [name, Buffer.from(text)] as const)
  return { ...source, timestamp: 9_999, headers: [...headers, ...ours] }
}

const CODES: Record<string, string> = {
  undecodable: 'DECODE_MAGIC_BYTE',
  'first-preprocess': 'FUNCTION_THREW',
  'first-shape': 'SHAPE_MISMATCH',
  'first-postprocess': 'POSTPROCESS_THREW',
  'second-preprocess': 'FUNCTION_THREW',
  'second-inference': 'INFERENCE_FAILED',
  'second-postprocess': 'POSTPROCESS_THREW',
}

/** With this header instead of one of the same name. */
export function withHeader(record: Written, name: string, text: string): Written {
  const others = record.headers.filter(([header]) => header !== name)
  return { ...record, headers: [...others, [name, Buffer.from(text)]] }
}

// What the two models make of a record, written down once more and in another way than in the judge.

function scored(event: ChaosEvent) {
  const example = exampleOf(event)
  const scores = [0, 1, 2, 3].map(column =>
    example.map((value, row) => value * (((row * 5 + column * 3) % 11) - 4)).reduce((a, b) => a + b),
  )
  return { example, scores, modelId: 'scorer.onnx' }
}

function totalled(event: ChaosEvent) {
  const first = scored(event)
  let total = 7
  for (const score of first.scores) total = (((total * 31 + score) % 65_521) + 65_521) % 65_521
  return { ...first, total, totalledBy: 'totaller' }
}
