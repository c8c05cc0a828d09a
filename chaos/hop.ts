/**
 * What one step made of the records of its source: counted by position, which every output and dead letter names in a header.
 *
 * H1. Each source record ends as exactly one output or one dead letter: none is a loss, each further one a duplicate.
 * H2. For each input partition and output topic, first occurrences are in the order of their sources; when nothing may come
 *     twice, all of them are.
 * H3. An output has the key, the time, the partition and the headers of its source, and the one value that follows from it.
 * H4. A dead letter is its source record, byte for byte, in its partition of the topic that its mark names, and under that code.
 * H5. Of headers of the application there is one of a name; whatever else a record has was written by the producer.
 */
import { isDeepStrictEqual } from 'node:util'
import { type ChaosEvent, EVENT_HEADER, FATES, headerText, type Step } from './events.ts'

/** A record as the checker read it. */
export interface SeenRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds since 1970. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** Names may repeat. */
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[]
}

export interface HopOptions {
  readonly step: Step
  readonly source: string
  readonly output: string
  /** Dead-letter topics of the step, by stage. */
  readonly letters: Readonly<Record<string, string>>
  /** Nothing may come twice. */
  readonly isStrict: boolean
  readonly expectedOf: (event: ChaosEvent) => unknown
  readonly note: (finding: string) => void
}

export interface HopTally {
  outputs: number
  deadLetters: number
  lost: number
  duplicates: number
  orderViolations: number
  wrongValues: number
  wrongDeadLetters: number
}

interface Slot {
  readonly event: ChaosEvent
  readonly record: SeenRecord
  seen: number
}

export interface Hop {
  addSource(record: SeenRecord, event: ChaosEvent): void
  /** The event that the output is about; undefined when it comes from nowhere. */
  addOutput(record: SeenRecord): ChaosEvent | undefined
  addLetter(record: SeenRecord): void
  /** When all is added. */
  tally(): HopTally
}

export function createHop({ step, source, output, letters, isStrict, expectedOf, note }: HopOptions): Hop {
  const slots: (Slot | undefined)[][] = []
  /** The furthest source offset that has come out, by output topic and input partition. */
  const furthest = new Map<string, number>()
  const stageOf = new Map(Object.entries(letters).map(([stage, topic]) => [topic, stage]))
  const tally = { outputs: 0, deadLetters: 0, orderViolations: 0, wrongValues: 0, wrongDeadLetters: 0 }

  function wrong(kind: 'wrongValues' | 'wrongDeadLetters', record: SeenRecord, problem: string): void {
    tally[kind]++
    note(`${place(record)}: ${problem}`)
  }

  /** Counts one more of this source, and looks at the order (H1, H2). */
  function came(slot: Slot, record: SeenRecord): void {
    const isFirst = slot.seen++ === 0
    if (!isFirst && !isStrict) return
    if (!isFirst) note(`${place(record)}: ${place(slot.record)} (${headerText(slot.event)}) once more`)
    const way = `${record.topic} ${slot.record.partition}`
    const before = furthest.get(way) ?? -1
    if (slot.record.offset <= before) {
      tally.orderViolations++
      note(`${place(record)}: ${place(slot.record)} came behind offset ${before}`)
    }
    furthest.set(way, Math.max(before, slot.record.offset))
  }

  function slotAt(position: string): Slot | undefined {
    const [topic, partition, offset] = position.split('/')
    return topic === source ? slots[Number(partition)]?.[Number(offset)] : undefined
  }

  function outputProblem(record: SeenRecord, { event, record: from }: Slot): string | undefined {
    if (record.partition !== from.partition) return `from partition ${from.partition}`
    if (!sameBytes(record.key, from.key)) return `key ${record.key} instead of ${from.key}`
    if (record.timestamp !== from.timestamp) return `time ${record.timestamp} instead of ${from.timestamp}`
    const headers = headerProblem(record, event)
    if (headers !== undefined) return headers
    const expected = expectedOf(event)
    return isDeepStrictEqual(parsed(record.value), expected)
      ? undefined
      : `value ${record.value} instead of ${JSON.stringify(expected)}`
  }

  function letterProblem(record: SeenRecord, { event, record: from }: Slot): string | undefined {
    const what = `${headerText(event)} of ${place(from)}`
    const fate = fateOf(event)
    const code = textOf(record, 'kri-code') ?? ''
    if (fate?.step !== step)
      return `${what} is no dead letter of this step (${code}: ${textOf(record, 'kri-error-message')})`
    if (stageOf.get(record.topic) !== fate.stage || textOf(record, 'kri-stage') !== fate.stage)
      return `${what} belongs to the topic of ${fate.stage}`
    if (!fate.code.test(code)) return `${what} has code ${code}`
    if (!sameBytes(record.key, from.key) || !sameBytes(record.value, from.value)) return `${what} is not kept as it was`
    if (record.partition !== from.partition) return `${what} is in partition ${record.partition}`
    const headers = headerProblem(record, event)
    if (headers !== undefined) return `${what} has ${headers}`
    if (Number(textOf(record, 'kri-original-timestamp')) !== from.timestamp) return `${what} has another time`
    return undefined
  }

  return {
    addSource(record, event) {
      slots[record.partition] ??= []
      // Only of those that fail here the values are compared.
      const value = fateOf(event)?.step === step ? record.value : null
      slots[record.partition]![record.offset] = { event, record: { ...record, value, headers: [] }, seen: 0 }
    },
    addOutput(record) {
      tally.outputs++
      const slot = slotAt(textOf(record, 'kri-source') ?? '')
      if (slot === undefined) {
        wrong('wrongValues', record, `it comes from nowhere (${textOf(record, 'kri-source')})`)
        return undefined
      }
      came(slot, record)
      const problem = outputProblem(record, slot)
      if (fateOf(slot.event)?.step === step) wrong('wrongDeadLetters', record, `${headerText(slot.event)} came through`)
      else if (problem !== undefined) wrong('wrongValues', record, problem)
      return slot.event
    },
    addLetter(record) {
      tally.deadLetters++
      const [topic, partition, offset] = ['topic', 'partition', 'offset'].map(name =>
        textOf(record, `kri-original-${name}`),
      )
      const slot = slotAt(`${topic}/${partition}/${offset}`)
      if (slot === undefined) {
        wrong('wrongDeadLetters', record, `it comes from nowhere (${topic}/${partition}/${offset})`)
        return
      }
      came(slot, record)
      const problem = letterProblem(record, slot)
      if (problem !== undefined) wrong('wrongDeadLetters', record, problem)
    },
    tally() {
      let lost = 0
      let duplicates = 0
      for (const slot of slots.flat()) {
        if (slot === undefined) continue
        if (slot.seen === 0)
          note(
            `${place(slot.record)} (${headerText(slot.event)}) has come neither to ${output} nor to a dead-letter topic`,
          )
        lost += slot.seen === 0 ? 1 : 0
        duplicates += Math.max(0, slot.seen - 1)
      }
      return { ...tally, lost, duplicates }
    },
  }
}

export function textOf({ headers }: SeenRecord, name: string): string | undefined {
  return headers.findLast(([header]) => header === name)?.[1]?.toString()
}

/** H5: the producer writes one header. */
function headerProblem({ headers }: SeenRecord, event: ChaosEvent): string | undefined {
  const isOurs = ([name]: SeenRecord['headers'][number]) => name.startsWith('kri-')
  const theirs = headers.filter(header => !isOurs(header)).map(([name, value]) => `${name}=${value}`)
  if (theirs.join() !== `${EVENT_HEADER}=${headerText(event)}`) return `the headers ${theirs.join() || '(none)'}`
  const names = headers.filter(isOurs).map(([name]) => name)
  const twice = names.find((name, i) => names.indexOf(name) < i)
  return twice === undefined ? undefined : `${twice} twice`
}

function fateOf({ mark }: ChaosEvent) {
  return mark === 'good' ? undefined : FATES[mark]
}

function place({ topic, partition, offset }: SeenRecord): string {
  return `${topic}/${partition}/${offset}`
}

function sameBytes(one: Buffer | null, other: Buffer | null): boolean {
  return one === null || other === null ? one === other : one.equals(other)
}

function parsed(value: Buffer | null): unknown {
  try {
    return JSON.parse(String(value))
  } catch {
    // It is then no value that was expected.
    return undefined
  }
}
