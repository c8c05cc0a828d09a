// Every answer that says "try again", to every kind of request that an application makes, twice each: the whole pipeline sits it
// out. On a broker without a network, so that thousands of seconds of waiting pass at once.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { handlerAt } from '../../src/handler-place.ts'
import { topicNames } from '../../src/kafka/topics.ts'
import { errorCodes } from '../../src/kafkajs/internals.ts'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { brokerError, errorName } from '../../src/kafkajs/protocol-errors.ts'
import type { FindHandler } from '../../src/models/custom-session.ts'
import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import { startTopology } from '../../src/run.ts'
import { DEFAULT_RUN_SETTINGS } from '../../src/run-settings.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { createMemoryRegistry } from '../../src/testing/memory-registry.ts'
import { calculation, timesTen } from '../support/number-handlers.ts'
import { plainRecord, sealedBatch, storedBatch } from '../support/record-batches.ts'
import { KINDS, type Kind, ScriptedBroker } from '../support/scripted-broker.ts'

const NEWER = [89, 103]
const RETRIABLE = [...errorCodes.map(({ code }) => code), ...NEWER].filter(
  code => brokerError(errorName(code), '').retriable,
)

/** Not retriable for ever, but a broker that starts, or has not heard yet, answers so for a moment. */
const PASSING: readonly (readonly [Kind, number])[] = [
  ['Fetch', 3],
  ['Produce', 3],
  ['ListOffsets', 3],
  ['OffsetCommit', 3],
  // The group goes on without this member: it joins again.
  ['Heartbeat', 25],
  ['Heartbeat', 22],
  ['OffsetCommit', 25],
  ['OffsetCommit', 22],
  ['JoinGroup', 25],
  ['JoinGroup', 22],
  ['SyncGroup', 25],
  ['SyncGroup', 22],
]

const TIMES = 2
/** More than the longest pauses between tries, with the session that a member may have to sit out. */
const PATIENCE_MS = 120_000
const VALUES = ['1', '2', '3']

/** Runs a topology to the end of its input, with these answers in its way; tells what became of it. */
async function through(kind: Kind, code: number, isDone: boolean) {
  const clock = createManualClock()
  const graph = calculation(timesTen().handler)
  const broker = new ScriptedBroker(clock, topicNames(graph))
  const port = createKafkaPort({
    brokers: ['scripted:1'],
    clientId: 't',
    logger: silentLogger,
    clock,
    random: () => 0.5,
  })
  const write = (values: readonly string[]) => {
    const sealed = sealedBatch(
      values.map(value => plainRecord(value)),
      'in',
    )
    broker.append({ topic: 'in', bytes: storedBatch(sealed.bytes), count: sealed.count })
  }
  write(VALUES)
  // Fetches and heartbeats come all the time: theirs fail in mid-run.
  const isEarly = kind !== 'Heartbeat' && kind !== 'Fetch'
  if (isEarly) broker.fail(kind, code, TIMES, isDone)
  const find: FindHandler = place => handlerAt(graph, place)
  const executor = createInThreadExecutor({ lanes: 1, maxBatchRows: 64 }, { logger: silentLogger, clock, find })
  const running = startTopology(graph, {
    ...{ port, executor, clock, registry: createMemoryRegistry(), readSchema: async () => '' },
    ...{ settings: DEFAULT_RUN_SETTINGS, random: () => 0.5, logger: silentLogger, metrics: nullMetrics },
  })
  let ended: unknown
  running.finished.catch(error => {
    ended = error
  })
  const isThere = (count: number) => broker.committed('in') === count && broker.unused(kind) === 0
  const until = async (count: number) => {
    for (let ms = 0; ms < PATIENCE_MS && !isThere(count) && ended === undefined; ms += 500) await clock.advance(500)
  }
  await until(VALUES.length)
  if (!isEarly) broker.fail(kind, code, TIMES, isDone)
  write(VALUES)
  await until(2 * VALUES.length)
  await clock.advance(60_000)
  const { problems, ready } = running.health()
  const outcome = {
    ended: ended === undefined ? undefined : String(ended),
    problems,
    ready,
    outputs: broker.values('out').join(),
    committed: broker.committed('in'),
    deadLetters: topicNames(graph)
      .filter(name => name.includes('failed'))
      .flatMap(name => broker.values(name)),
    unused: broker.unused(kind),
  }
  const stopped = running.stop().catch(() => {})
  await clock.advance(30_000)
  await stopped
  await port.close()
  broker.end()
  return outcome
}

const WELL = {
  ended: undefined,
  problems: {},
  ready: true,
  outputs: '10,20,30,10,20,30',
  committed: 6,
  deadLetters: [],
  unused: 0,
}

describe('an answer that says to try again', () => {
  const cases = [...KINDS.flatMap(kind => RETRIABLE.map(code => [kind, code] as const)), ...PASSING]
  for (const kind of KINDS) {
    for (const isDone of kind === 'Produce' || kind === 'OffsetCommit' ? [false, true] : [false]) {
      it(`${kind}${isDone ? ', with what was asked done all the same' : ''}`, async () => {
        const wrong: Record<string, object> = {}
        for (const [, code] of cases.filter(([other]) => other === kind)) {
          const outcome = await through(kind, code, isDone)
          if (JSON.stringify(outcome) !== JSON.stringify(WELL)) wrong[errorName(code)] = outcome
        }
        assert.deepEqual(wrong, {})
      })
    }
  }
})
