/** Steps and functions that fail as long as they are told to, and dead letters that are put into the replay topic of `in`. */
import assert from 'node:assert/strict'
import { type KV, keyed, kv } from 'kafka-run-inference'
import type { Header } from '../../src/kafka/record-block.ts'
import { replayTopic } from '../../src/kafka/topic-names.ts'
import type { InputRecord, OutputRecord, TopologyDriver } from '../../src/testing/index.ts'
import { mlp, shown } from './digit-topology.ts'
import { feed } from './on-driver.ts'

type Element = KV<string, string>
export const REPLAY = replayTopic('t', 'in')

/** `step(name)` gives its own name; `at(name)` adds it; both throw while `broken` has it. */
export function failing() {
  const broken = new Set<string>()
  const check = <T>(name: string, element: T): T => {
    if (broken.has(name)) throw new RangeError(`${name} is broken`)
    return element
  }
  const step = (name: string) =>
    keyed(mlp)
      .withPreprocess(({ key, value: text }: Element) => {
        return kv(check(name, key), { x: new Float32Array(64).fill(text.length) })
      })
      .withPostprocess(({ key }) => kv(key, name))
  const at = (name: string) => (element: Element) => kv(element.key, check(name, `${element.value} ${name}`))
  return { broken, step, at }
}

/** Writes records into the replay topic. */
export async function replayed(driver: TopologyDriver, records: readonly InputRecord[], topic = REPLAY): Promise<void> {
  const bytes = (field: unknown) => (typeof field === 'string' ? Buffer.from(field) : field)
  await feed(
    driver,
    records.map(record => ({ ...record, key: bytes(record.key), value: bytes(record.value) })),
    topic,
  )
}

/** A record as it stands in a dead-letter topic, to be written again. */
export function copyOf({ key, bytes, headers }: OutputRecord): InputRecord {
  const copied = Object.entries(headers).map(([name, text]) => header(name, text!))
  return { key, value: bytes, headers: copied }
}

/** Copies what a dead-letter topic holds into the replay topic, as any tool does it. */
export async function replayAll(driver: TopologyDriver, topic: string, into = REPLAY): Promise<void> {
  const letters = await driver.read(topic)
  assert.ok(letters.length > 0, `${topic} holds dead letters`)
  await replayed(driver, letters.map(copyOf), into)
}

export async function outputs(driver: TopologyDriver, topic: string): Promise<string[]> {
  return shown(await driver.read(topic))
}

/** Headers of ours, named without `kri-`. */
export function said({ headers }: OutputRecord, ...names: readonly string[]): (string | null | undefined)[] {
  return names.map(name => headers[`kri-${name}`])
}

export function header(name: string, text: string): Header {
  return [name, Buffer.from(text)]
}
