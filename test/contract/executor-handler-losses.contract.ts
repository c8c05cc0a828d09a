/** What every executor must keep whose workers a handler can end. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import type { BatchSlot } from '../../src/models/executor.ts'
import type { Topology } from '../../src/topology.ts'
import { loadTopology } from '../../src/topology-module.ts'
import { eventually } from '../support/eventually.ts'
import { type CreateExecutor, rejects, withModel } from '../support/executor-checks.ts'
import { put, specOf } from '../support/handler-specs.ts'
import { HANDLERS_FILE } from '../support/handlers-topology.ts'

/** `deaths`: what a handler can do to its worker (obedient-handler.ts), and what is said of it. */
export function executorHandlerLossesContract(
  name: string,
  create: CreateExecutor,
  deaths: Readonly<Record<string, string>>,
): void {
  let topology: Topology
  before(async () => {
    topology = await loadTopology(HANDLERS_FILE)
  })

  async function passes(slot: BatchSlot, from: number, rows: number): Promise<void> {
    const { outputs } = await slot.run(from, rows)
    const ids = (outputs[0]!.data as readonly { example: { id: number } }[]).map(({ example }) => example.id)
    assert.deepEqual(
      ids,
      Array.from({ length: rows }, (_, i) => from + i),
    )
  }

  describe(`${name} executor: handlers that end their worker`, () => {
    for (const [death, text] of Object.entries(deaths)) {
      test(`a run that does (${death}) rejects WORKER_LOST; its neighbours and other batches are unharmed`, () =>
        withModel(create, specOf(topology, 'obedient'), async (model, executor) => {
          const [deadly, other] = [model.acquire()!, model.acquire()!]
          put(deadly, [{ id: 0 }, { id: 1, do: death }, { id: 2 }])
          put(other, [{ id: 0 }, { id: 1 }])
          const guilty = rejects(deadly.run(0, 3), 'WORKER_LOST', 'obedient/1', '3 rows', text)
          await passes(other, 0, 2)
          await guilty
          await passes(deadly, 0, 1)
          await rejects(deadly.run(1, 1), 'WORKER_LOST', '1 row')
          await passes(deadly, 2, 1)
          await model.runControl()
          for (const slot of [deadly, other]) slot.release()
          assert.deepEqual(executor.lanes[0]!.restarts, { crash: 2, timeout: 0 })
        }))
    }

    test('a promise that is left behind and rejected ends no worker, be the next call under way or not', () =>
      withModel(create, specOf(topology, 'obedient'), async (model, executor) => {
        const slot = model.acquire()!
        put(slot, [
          { id: 0 },
          { id: 1, do: 'leave a promise behind' },
          { id: 2, do: 'slow generator' },
          { id: 3, do: 'count what was rejected late' },
        ])
        for (const row of [1, 2, 1]) assert.equal((await slot.run(row, 1)).rows, 1)
        await eventually('both are rejected', async () => {
          const { outputs } = await slot.run(3, 1)
          return outputs[0]!.data[0] === 2
        })
        await passes(slot, 0, 1)
        slot.release()
        assert.deepEqual(executor.lanes[0]!.restarts, { crash: 0, timeout: 0 })
      }))

    test('a call that waits for one is WORKER_LOST with its reason', () =>
      withModel(create, specOf(topology, 'obedient'), async model => {
        const slot = model.acquire()!
        put(slot, [{ id: 0 }, { id: 1, do: 'wait for what was rejected elsewhere' }])
        await rejects(slot.run(1, 1), 'WORKER_LOST', 'obedient/1', '1 row', 'the connection was closed')
        await passes(slot, 0, 1)
        slot.release()
      }))

    test('a timer that is left behind does not keep a lane that is closed', { timeout: 30_000 }, () =>
      withModel(create, specOf(topology, 'obedient'), async model => {
        const slot = model.acquire()!
        put(slot, [{ id: 0, do: 'leave a timer behind' }])
        assert.equal((await slot.run(0, 1)).rows, 1)
        slot.release()
      }),
    )
  })
}

/** The same for executors that can end a worker which does not return. */
export function executorHandlerTimeoutContract(name: string, create: CreateExecutor): void {
  for (const death of ['loop', 'never settle']) {
    test(`${name} executor: a handler that does not return (${death}) within its timeoutMs is ended: TIMEOUT`, async () => {
      const topology = await loadTopology(HANDLERS_FILE)
      await withModel(create, specOf(topology, 'timed'), async (model, executor) => {
        const slot = model.acquire()!
        put(slot, [{ id: 0 }, { id: 1, do: death }])
        await rejects(slot.run(1, 1), 'TIMEOUT', 'obedient/1', '1 row took longer than timeoutMs (1500 ms)')
        assert.equal((await slot.run(0, 1)).rows, 1)
        slot.release()
        assert.deepEqual(executor.lanes[0]!.restarts, { crash: 0, timeout: 1 })
      })
    })
  }
}
