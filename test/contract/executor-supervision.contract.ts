/** What every executor must keep whose workers can be lost. Its lanes run `test/support/deadly-sessions.ts`. */
import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { DEADLY } from '../support/deadly-sessions.ts'
import { type CreateExecutor, checkDigits, digits, rejects, withModel } from '../support/executor-checks.ts'
import { digitsSpec, fill } from '../support/model-specs.ts'

type Death = keyof typeof DEADLY

/** `deaths`: what a worker of this kind can do to itself, and what is said of it. */
export function executorSupervisionContract(
  name: string,
  create: CreateExecutor,
  deaths: Readonly<Partial<Record<Death, string>>>,
): void {
  const [someDeath] = Object.keys(deaths) as [Death]
  const deadlyLoads = (death: Death | undefined) => {
    if (death === undefined) delete process.env.DEADLY_LOADS
    else process.env.DEADLY_LOADS = death
  }
  afterEach(() => deadlyLoads(undefined))

  describe(`${name} executor: lost workers`, () => {
    for (const [death, text] of Object.entries(deaths)) {
      test(`a run that ends its worker (${death}) rejects WORKER_LOST, and all others give what they should`, () =>
        withModel(create, digitsSpec(), async (model, executor) => {
          const [lane] = executor.lanes
          const slots = Array.from({ length: 4 }, () => model.acquire()!)
          for (const [index, slot] of slots.entries()) fill(slot, pixels(index * 20, 20))
          const [first, deadly, ...others] = slots
          fill(deadly!, withDeadly(pixels(20, 20), 13, death as Death))
          const before = first!.run(0, 20)
          const guilty = rejects(deadly!.run(0, 20), 'WORKER_LOST', 'digits-mlp-v1', 'lane 0', '20 rows', text)
          const after = others.map(slot => slot.run(0, 20))
          checkDigits(await before, 0)
          await guilty
          for (const [index, outputs] of (await Promise.all(after)).entries()) checkDigits(outputs, 40 + index * 20)
          checkDigits(await deadly!.run(0, 13), 20)
          await rejects(deadly!.run(13, 1), 'WORKER_LOST', '1 row')
          checkDigits(await deadly!.run(14, 6), 34)
          await model.runControl()
          for (const slot of slots) slot.release()
          assert.deepEqual([lane!.occupied, lane!.restarts], [0, { crash: 2, timeout: 0 }])
          assert.equal(lane!.trouble, undefined)
        }))
    }

    test('ten models in a lane, one of them used: a new worker has them all', () =>
      withModel(create, digitsSpec(), async (model, executor) => {
        const others = await Promise.all(
          Array.from({ length: 9 }, (_, index) =>
            executor.lanes[0]!.load(digitsSpec('models/digits-mlp-v2.onnx', { identifier: `other ${index}` })),
          ),
        )
        const slot = model.acquire()!
        fill(slot, withDeadly(pixels(0, 3), 2, someDeath))
        await rejects(slot.run(0, 3), 'WORKER_LOST')
        checkDigits(await slot.run(0, 2), 0)
        slot.release()
        await Promise.all(others.map(other => other.runControl()))
      }))

    test('another lane does not notice', async () => {
      const executor = create({ lanes: 2, maxBatchRows: 16 })
      const [victim, other] = await Promise.all(executor.lanes.map(lane => lane.load(digitsSpec())))
      const slots = [victim!.acquire()!, other!.acquire()!]
      fill(slots[0]!, withDeadly(pixels(0, 2), 0, someDeath))
      fill(slots[1]!, pixels(7, 2))
      const guilty = rejects(slots[0]!.run(0, 2), 'WORKER_LOST', 'lane 0')
      checkDigits(await slots[1]!.run(0, 2), 7)
      await guilty
      await executor.close()
    })

    test('a load that ends its worker is an outage; the next one succeeds', async () => {
      const executor = create({ lanes: 1, maxBatchRows: 16 })
      const [lane] = executor.lanes
      deadlyLoads(someDeath)
      await stayAwake(rejects(lane!.load(digitsSpec()), 'LANE_LOST', 'lane 0', 'load', deaths[someDeath]!))
      deadlyLoads(undefined)
      const model = await stayAwake(lane!.load(digitsSpec()))
      await model.runControl()
      await executor.close()
    })

    test('a worker that cannot be brought back: LANE_LOST for what waits, until it can', () =>
      withModel(create, digitsSpec(), async (model, executor) => {
        const [lane] = executor.lanes
        const slots = [model.acquire()!, model.acquire()!]
        fill(slots[0]!, withDeadly(pixels(0, 2), 0, someDeath))
        fill(slots[1]!, pixels(0, 2))
        deadlyLoads(someDeath)
        const guilty = rejects(slots[0]!.run(0, 2), 'WORKER_LOST')
        await stayAwake(rejects(slots[1]!.run(0, 2), 'LANE_LOST', '5 times in a row'))
        await guilty
        assert.equal(lane!.trouble?.code, 'LANE_LOST')
        assert.equal(lane!.busyMs(), 0)
        deadlyLoads(undefined)
        checkDigits(await stayAwake(slots[1]!.run(0, 2)), 0)
        assert.equal(lane!.trouble, undefined)
        for (const slot of slots) slot.release()
      }))

    test('a lane that is lost while it closes is closed, and no worker is started again', async () => {
      const executor = create({ lanes: 1, maxBatchRows: 16 })
      const model = await executor.lanes[0]!.load(digitsSpec())
      const slots = [model.acquire()!, model.acquire()!]
      fill(slots[0]!, withDeadly(pixels(0, 2), 0, someDeath))
      fill(slots[1]!, pixels(0, 2))
      const calls = [rejects(slots[0]!.run(0, 2), 'WORKER_LOST'), rejects(slots[1]!.run(0, 2), 'LANE_LOST', 'closed')]
      await executor.close()
      await Promise.all(calls)
      assert.deepEqual(executor.lanes[0]!.restarts, { crash: 1, timeout: 0 })
    })
  })
}

/** The clock's timers do not keep a process alive, and between two workers nothing else may. */
async function stayAwake<T>(work: Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, 1_000)
  return work.finally(() => clearInterval(timer))
}

export function pixels(from: number, count: number): (readonly number[])[] {
  return digits.slice(from, from + count).map(digit => digit.pixels)
}

export function withDeadly(rows: readonly (readonly number[])[], at: number, death: Death): (readonly number[])[] {
  return rows.map((row, index) => (index === at ? [DEADLY[death], ...row.slice(1)] : row))
}
