/** Instances of topologies/raw-tensors.ts as processes of their own: what they own, as they tell it, and what they moved. */
import assert from 'node:assert/strict'
import type { KafkaPort } from '../../src/kafka/port.ts'
import { eventually } from './eventually.ts'
import type { Place } from './keyed-records.ts'
import type { KriOnCluster } from './kri-on-cluster.ts'
import type { KriProcess } from './kri-process.ts'

const SESSION_MS = 6_000

export interface App {
  readonly id: string
  readonly input: string
  readonly output: string
  readonly partitions: number
  start(): Instance
  /** What the group has committed, by partition. */
  committed(): Promise<readonly number[]>
  /** Log ends of the output. */
  written(): Promise<readonly number[]>
  /** Waits until everything in the input is committed. */
  whenDone(): Promise<void>
}

export interface Instance extends KriProcess {
  /** Of the last generation that it has entered; −1 before the first. */
  readonly generation: number
  /** Partitions that it owns, those of the replay topic included. */
  readonly owned: number
  /** Partitions that it got, and that went to others, in all generations. */
  readonly moves: { readonly added: number; readonly lost: number }
  /** How often the group went on without it. */
  readonly expelled: number
  /** Partitions of the input that it owns, by its metrics. */
  ownedInputs(): Promise<readonly number[]>
  /** Ends it in order. */
  stop(): Promise<void>
  kill(): Promise<void>
}

export interface AppOptions {
  readonly partitions: number
  readonly flags?: readonly string[]
}

/** Creates the topics of an application of its own. */
export async function openApp(cluster: KriOnCluster, id: string, { partitions, flags = [] }: AppOptions): Promise<App> {
  const { port } = cluster
  const [input, output] = [`${id}.in`, `${id}.out`]
  const parameters = { in: input, out: output, model: 'models/digits-mlp-v1.onnx', width: 64, applicationId: id }
  const topology = [
    'topologies/raw-tensors.ts',
    ...Object.entries(parameters).flatMap(([name, value]) => ['--param', `${name}=${value}`]),
  ]
  const apply = cluster.kri('topics', 'apply', ...topology, '--partitions', String(partitions))
  assert.equal(await apply.ended, 0, apply.log())
  const limits = Object.entries({
    'http-port': 0,
    'session-timeout-ms': SESSION_MS,
    'heartbeat-interval-ms': 500,
    'max-in-flight-rows': 4_096,
    // A machine that is busy with other things must not make a drain end early: what that costs is tested elsewhere.
    'drain-budget-ms': 20_000,
  }).flatMap(([name, value]) => [`--${name}`, String(value)])
  const committed = () => port.admin.committed(id, input)
  return {
    ...{ id, input, output, partitions, committed },
    start: () => instanceOf(cluster.kri('run', ...topology, ...limits, ...flags), input),
    written: async () => (await port.admin.offsets(output)).map(({ end }) => end),
    whenDone: () =>
      eventually('all is committed', async () => isDone(await port.admin.offsets(input), await committed()), 90_000),
  }
}

const isDone = (ends: readonly { readonly end: number }[], committed: readonly number[]) =>
  ends.every(({ end }, partition) => end === 0 || committed[partition] === end)

function instanceOf(process: KriProcess, input: string): Instance {
  const state = () => {
    const told = { generation: -1, owned: 0, moves: { added: 0, lost: 0 }, expelled: 0 }
    for (const line of process.log().split('\n')) {
      const { msg, generation, added, lost } = lineOf(line)
      if (/^the group goes on without/.test(msg ?? '')) {
        told.owned = 0
        told.expelled++
      }
      if (msg !== 'joined the group') continue
      told.generation = generation
      told.owned += added - lost
      told.moves.added += added
      told.moves.lost += lost
    }
    return told
  }
  return {
    ...process,
    get generation() {
      return state().generation
    },
    get owned() {
      return state().owned
    },
    get moves() {
      return state().moves
    },
    get expelled() {
      return state().expelled
    },
    async ownedInputs() {
      const text = await process.text('/metrics')
      const gauges = text.matchAll(new RegExp(`kri_lag_records\\{[^}]*topic="${input}"[^}]*\\}`, 'g'))
      return [...gauges].map(([gauge]) => Number(/partition="(\d+)"/.exec(gauge)![1])).sort((a, b) => a - b)
    },
    async stop() {
      process.child.kill('SIGTERM')
      assert.equal(await process.ended, 0, process.log())
    },
    async kill() {
      process.child.kill('SIGKILL')
      await process.ended
    },
  }
}

function lineOf(line: string) {
  try {
    return JSON.parse(line)
  } catch {
    return {} // What a process says outside of its log.
  }
}

/** Waits until these own everything, evenly, in one generation. */
export function settled(app: App, instances: readonly Instance[]): Promise<void> {
  // Each source has a replay topic beside it.
  const all = 2 * app.partitions
  const even = all / instances.length
  return eventually(
    `${instances.length} instances share ${all} partitions`,
    () => {
      const generations = new Set(instances.map(({ generation }) => generation))
      return generations.size === 1 && instances.every(({ owned }) => owned === even)
    },
    90_000,
  )
}

/**
 * What an instance has written of these partitions of the input and not committed, so what may come twice. To be called when
 * it does nothing more, and its session has not ended; outputs keep their partition number.
 */
export async function uncommittedOf(port: KafkaPort, app: App, partitions: readonly number[]): Promise<Place[]> {
  let ends = await app.written()
  await eventually('what it had sent is written', async () => {
    const before = ends
    ends = await app.written()
    return partitions.every(partition => ends[partition] === before[partition])
  })
  const committed = await app.committed()
  const places: Place[] = []
  for (const partition of partitions) {
    const last = await lastSource(port, app.output, partition, ends[partition]!)
    for (let offset = Math.max(0, committed[partition]!); offset <= last; offset++) places.push({ partition, offset })
  }
  return places
}

async function lastSource(port: KafkaPort, topic: string, partition: number, end: number): Promise<number> {
  for await (const block of port.scan([{ topic, partition, from: Math.max(0, end - 1), to: end }])) {
    const [, source] = block.headers(block.count - 1).find(([name]) => name === 'kri-source')!
    return Number(String(source).split('/')[2])
  }
  return -1
}
