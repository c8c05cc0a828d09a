/** A topology `shop` on a broker in memory: its topics, dead letters, an instance that reads, and replays of them. */

import type { AuditRecord } from '../../src/dead-letters/replay-audit.ts'
import { parseAudit } from '../../src/dead-letters/replay-audit.ts'
import type { ReplayWish } from '../../src/dead-letters/replay-order.ts'
import type { ReplayParts } from '../../src/dead-letters/replay-parts.ts'
import { type StartOptions, startReplay } from '../../src/dead-letters/replay-start.ts'
import { from, topology } from '../../src/index.ts'
import type { KafkaPort } from '../../src/kafka/port.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { createMemoryBroker } from '../../src/testing/memory-broker.ts'
import { classifier, strings } from './digit-topology.ts'
import { letterRecords, type TestLetter } from './letter-blocks.ts'
import { sealedBatch } from './record-batches.ts'

export const LETTERS = 'shop.classify.failed-inference'
export const REPLAY = 'shop.orders.replay'
export const PARKED = 'shop.parked'
export const AUDIT = 'shop.audit'
const OTHER_LETTERS = ['shop.classify.failed-preprocess', 'shop.classify.failed-postprocess']

export interface Written {
  readonly place: string
  readonly key: string
  readonly value: string | null
  readonly headers: readonly string[]
}

export const numbered = (count: number): readonly TestLetter[] =>
  Array.from({ length: count }, (_, i) => ({ key: `k${i}`, facts: { 'original-partition': String(i % 3) } }))

export const keysOf = (list: readonly { readonly key: string }[]) => list.map(({ key }) => key).sort()

export async function replayWorld(letters: readonly TestLetter[], configs: Readonly<Record<string, string>> = {}) {
  const clock = createManualClock()
  const broker = createMemoryBroker({ clock })
  const port = broker.connect()
  const shop = topology('shop', [from('orders', strings).runInference('classify', classifier).to('out', strings)])
  const shape = { partitions: 3, replicationFactor: 1, configs: {} }
  await port.admin.createTopics([
    ...[LETTERS, ...OTHER_LETTERS, REPLAY, PARKED, 'orders', 'elsewhere'].map(name => ({ ...shape, name })),
    { ...shape, name: 'out', configs },
    { ...shape, name: AUDIT, partitions: 1 },
  ])
  const add = async (more: readonly TestLetter[]) => {
    const writer = port.writer()
    // A batch of one each: a run meets many blocks.
    for (const [i, record] of letterRecords(more).entries()) await writer.send([sealedBatch([record], LETTERS, i % 3)])
    await writer.close()
  }
  await add(letters)

  /** An instance that reads the replay topic. */
  const instance = async (topics: readonly string[] = ['orders', REPLAY]) => {
    const member = port.member(
      {
        groupId: 'shop',
        sources: topics.map(topic => ({ topic, start: 'earliest' })),
        ...{ sessionTimeoutMs: 1e9, heartbeatIntervalMs: 1e6, rebalanceTimeoutMs: 1e9, drainBudgetMs: 0 },
        ...{ maxBytesPerPartition: 1, maxBytesPerFetch: 1, maxFetchWaitMs: 1e6 },
      },
      {
        ...{ onAssigned: () => {}, onLost: () => {}, onBlock: () => {}, onState: () => {}, onFatal: () => {} },
        onRebalance: async () => {},
      },
    )
    await over(member.start())
    return member
  }

  async function* rows(topic: string, partitions: readonly number[]) {
    const all = partitions.map(partition => ({ topic, partition, from: 'earliest' as const, to: 'end' as const }))
    for await (const block of port.scan(all)) for (let row = 0; row < block.count; row++) yield { block, row }
  }

  const written = async (topic: string): Promise<readonly Written[]> => {
    const found: Written[] = []
    for await (const { block, row } of rows(topic, [0, 1, 2]))
      found.push({
        place: `${topic}/${block.partition}`,
        key: String(block.key(row)),
        value: block.value(row)?.toString() ?? null,
        headers: block.headers(row).map(([name]) => name),
      })
    return found
  }

  const audit = async (): Promise<readonly AuditRecord[]> => {
    const found: AuditRecord[] = []
    for await (const { block, row } of rows(AUDIT, [0])) found.push(parseAudit(block.value(row)!, 'audit'))
    return found
  }

  /** Lets time pass until it is over. */
  async function over<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    const mark = () => {
      isOver = true
    }
    work.then(mark, mark)
    for (let i = 0; i < 10_000 && !isOver; i++) await clock.advance(250)
    return work
  }

  const parts = (given: Partial<ReplayParts> & { readonly port?: KafkaPort } = {}): ReplayParts => ({
    ...{ port, topology: shop, clock, random: () => 0.5, signal: new AbortController().signal },
    ...{ by: 'anna@shop', guarantee: 'exactly_once', allowedTopics: [], ...given },
  })
  const start = (wish: Partial<ReplayWish> = {}, options: StartOptions = {}, given: Partial<ReplayParts> = {}) =>
    startReplay(parts(given), { name: 'night', ...wish }, options)
  const run = (...args: Parameters<typeof start>) => over(start(...args))
  return { broker, clock, port, shop, add, instance, written, audit, over, parts, start, run }
}
