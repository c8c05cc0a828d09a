/** A step whose model adds what its id says, in a driver, and trials of other models beside it. */
import assert from 'node:assert/strict'
import { from, json, keyed, modelHandler, topology, utf8 } from 'kafka-run-inference'
import { createTopologyDriver, type DriverOptions, type TopologyDriver } from 'kafka-run-inference/testing'
import { modelMetadataTopic } from '../../src/kafka/topic-names.ts'
import { readMetadata } from '../../src/refresh/metadata-log.ts'
import { changeMetadata } from '../../src/refresh/metadata-writer.ts'
import { slotText } from '../../src/refresh/slot.ts'
import { Split } from '../../src/refresh/split.ts'
import { aborted, promoted, published, rolledBack, withCandidate } from '../../src/refresh/state-changes.ts'
import type { Candidate, StepModels } from '../../src/refresh/step-models.ts'
import { passed } from './on-driver.ts'

export const named = (modelId: string) => ({ modelId, modelName: `name-${modelId}` })
export const canary = (modelId: string, percent: number, change: Partial<Candidate> = {}): Candidate => {
  return { model: named(modelId), mode: 'canary', percent, salt: 'salt', ...change }
}
/** Keys of the records. */
export const KEYS = Array.from({ length: 200 }, (_, i) => `key-${i}`)

export interface Summed {
  readonly key: string
  readonly x: number
  readonly y: number
  readonly by: string
}

/** Model ids in the order of their loads; a load waits for `gate`. */
export type Loads = string[] & { gate?: Promise<void> | undefined }

/** Adds what its model id says; `bad…` does not load, `picky-n` refuses odd numbers. */
export const adding = (modelId: string, loads: Loads = []) =>
  modelHandler<number, string, string>({
    name: 'adding',
    modelId,
    async loadModel(id) {
      await loads.gate
      if (id.startsWith('bad')) throw new Error(`garbage in ${id}`)
      loads.push(id)
      return id
    },
    runInference: (batch, id) =>
      batch.map(n => {
        if (id.startsWith('picky') && n % 2 === 1) throw new Error(`${n} is odd`)
        return `${n + addedBy(id)} by ${id}`
      }),
  })
const addedBy = (modelId: string) => 1_000 * Number(modelId.replace('picky-', ''))

export const numbersIn = from('in', { key: utf8(), value: json<number>() })
export const sumsOut = { key: utf8(), value: json<string>() }

export function addingTopology(loads: Loads, batch: { readonly maxSize?: number } = {}) {
  const handler = keyed(adding('1', loads))
  return topology('t', [numbersIn.runInference('add', handler, { batch, modelMetadata: true }).to('out', sumsOut)])
}

type Change = (state: StepModels | undefined) => StepModels

/** Publishes for the step `add`, and lets a second pass. */
export async function changeOn(driver: TopologyDriver, to: Change, key?: string): Promise<void> {
  const { clock, port } = driver
  const parts = { port, applicationId: 't', clock, random: () => 0.5 }
  await passed(driver, changeMetadata(parts, slotText('add', key), to))
  await driver.advance(1_000)
}

export async function onTrial(of?: ReturnType<typeof topology>, options: DriverOptions = {}) {
  const loads: Loads = []
  const driver = await createTopologyDriver(of ?? addingTopology(loads), options)
  const { port } = driver
  let sent = 0
  let read = 0
  const change = (to: Change, key?: string) => changeOn(driver, to, key)
  const send = (keys: readonly string[] = KEYS) =>
    driver.pipe(
      'in',
      keys.map(key => ({ key, value: sent++ })),
    )
  const act = ['me', new Date(0).toISOString()] as const
  return {
    driver,
    loads,
    change,
    canary: (candidate: Candidate, key?: string) => change(state => withCandidate(state, candidate, ...act), key),
    promote: (key?: string) => change(state => promoted(state, ...act), key),
    abort: (key?: string) => change(state => aborted(state, ...act), key),
    rollback: () => change(state => rolledBack(state, ...act)),
    publish: (modelId: string) => change(state => published(state, named(modelId), ...act)),
    send,
    /** One record for each key: 0, 1, 2, … Returns what has come out since the last call, each sum as its model makes it. */
    async pipe(keys: readonly string[] = KEYS): Promise<readonly Summed[]> {
      await send(keys)
      await driver.advance(1_000)
      const all = await driver.read('out')
      const news = all.slice(read)
      read = all.length
      return news.map(({ key, value }) => {
        const [sum, by] = (value as string).split(' by ') as [string, string]
        const x = Number(sum) - addedBy(by)
        assert.ok(x >= 0 && x < sent, `${key}: ${value} is not of the model that it names`)
        return { key: String(key), x, y: Number(sum), by }
      })
    },
    /** What is published now. */
    published: async () => (await readMetadata(port, modelMetadataTopic('t'))).slots.get('add')!.state,
    status: () => driver.running.health().slots[0]!,
  }
}

/** Asserts that each record was made by the model that the split has for its key. */
export function assertShare(sums: readonly Summed[], candidate: Candidate, stable: string): void {
  assert.ok(sums.length > 0)
  const split = new Split(candidate)
  for (const { key, by } of sums) {
    const bytes = Buffer.from(key)
    const isChosen = split.hasKey(bytes, 0, bytes.length)
    assert.equal(by, isChosen ? candidate.model.modelId : stable, key)
  }
}
