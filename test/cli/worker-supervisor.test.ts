import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { WorkerMessage } from '../../src/cli/worker-channel.ts'
import { WorkerSupervisor } from '../../src/cli/worker-supervisor.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'

const SUMMARY = {
  ...{ records: 1, predictions: 1, dropped: 0, committed: {} },
  deadLetters: { preprocess: 0, inference: 0, postprocess: 0 },
}

class FakeWorker {
  readonly pid = 1
  readonly index: number
  readonly tell: (message: WorkerMessage) => void
  readonly signals: NodeJS.Signals[] = []
  readonly #end = Promise.withResolvers<{ code: number | null; signal: NodeJS.Signals | null }>()
  readonly ended = this.#end.promise

  constructor(index: number, tell: (message: WorkerMessage) => void) {
    this.index = index
    this.tell = tell
  }

  kill(signal: NodeJS.Signals): void {
    this.signals.push(signal)
    if (signal === 'SIGKILL') this.end(null, 'SIGKILL')
  }

  end(code: number | null, signal: NodeJS.Signals | null = null): void {
    this.#end.resolve({ code, signal })
  }

  refuse(): void {
    this.#end.reject(new Error('spawn EAGAIN'))
  }
}

function setup({ workers = 2, untilEnd = false } = {}) {
  const clock = createManualClock()
  const started: FakeWorker[] = []
  const supervisor = new WorkerSupervisor({
    workers,
    untilEnd,
    start(index, onMessage) {
      const worker = new FakeWorker(index, onMessage)
      started.push(worker)
      return worker
    },
    stopBudgetMs: 15_000,
    clock,
    logger: silentLogger,
  })
  supervisor.finished.catch(() => {})
  return { clock, started, supervisor }
}

suite('the parent of several workers', () => {
  test('W1. a worker that is killed is started again under its number; the others are left alone', async () => {
    const { clock, started, supervisor } = setup()
    started[1]!.tell({ kind: 'ready' })
    started[1]!.end(null, 'SIGKILL')
    await clock.advance(499)
    assert.equal(started.length, 2)
    assert.deepEqual(
      supervisor.workers.map(({ running }) => running),
      [true, false],
    )
    await clock.advance(1)
    assert.deepEqual([started.length, started[2]!.index, started[0]!.signals], [3, 1, []])
    assert.deepEqual(
      supervisor.workers.map(({ running, restarts }) => [running, restarts]),
      [
        [true, 0],
        [true, 1],
      ],
    )
  })

  test('W1. the pause grows with every quick end, and the fifth ends all, with the reason', async () => {
    const { clock, started, supervisor } = setup()
    for (const pauseMs of [500, 1_000, 2_000, 4_000]) {
      const last = started.findLast(({ index }) => index === 0)!
      last.tell({ kind: 'ready' })
      last.tell({ kind: 'failed', code: 'LANE_LOST', message: '[LANE_LOST] gone', retriable: true })
      last.end(1)
      await clock.advance(pauseMs - 1)
      const before = started.length
      await clock.advance(1)
      assert.equal(started.length, before + 1, `after ${pauseMs} ms`)
    }
    started.at(-1)!.end(1)
    await clock.advance(0)
    assert.deepEqual(started[1]!.signals, ['SIGTERM'])
    started[1]!.end(0)
    await assert.rejects(supervisor.finished, /\[CRASH_LOOP\] worker 0: ended 5 times, each within 60 s: exit code 1/)
  })

  test('W1. one that lived for long is forgiven', async () => {
    const { clock, started } = setup({ workers: 1 })
    for (let i = 0; i < 10; i++) {
      await clock.advance(60_000)
      started.at(-1)!.end(null, 'SIGKILL')
      await clock.advance(500)
      assert.equal(started.length, i + 2)
    }
  })

  test('W1. one that never got ready, and says that trying again will not help, is not tried again', async () => {
    const { clock, started, supervisor } = setup({ workers: 1 })
    const message = '[MODEL_UNUSABLE] model.onnx is corrupt'
    started[0]!.tell({ kind: 'failed', code: 'MODEL_UNUSABLE', message, retriable: false })
    started[0]!.end(1)
    await clock.advance(60_000)
    assert.equal(started.length, 1)
    await assert.rejects(supervisor.finished, /worker 0: \[MODEL_UNUSABLE\] model\.onnx is corrupt/)
  })

  test('W2. a stop asks all of them, and resolves when they have ended', async () => {
    const { started, supervisor, clock } = setup()
    const stopped = supervisor.stop()
    assert.deepEqual(
      started.map(({ signals }) => signals),
      [['SIGTERM'], ['SIGTERM']],
    )
    // One had not come to listen to signals yet.
    started[0]!.end(null, 'SIGTERM')
    started[1]!.tell({ kind: 'summary', summary: SUMMARY, reachedEnd: false })
    started[1]!.end(0)
    await stopped
    await clock.advance(60_000)
    assert.deepEqual([started.length, supervisor.summaries.length, supervisor.reachedEnd], [2, 1, false])
  })

  test('W2. one that outlasts its time is killed, and that is told', async () => {
    const { started, supervisor, clock } = setup()
    const stopped = supervisor.stop()
    started[0]!.end(0)
    await clock.advance(14_999)
    assert.deepEqual(started[1]!.signals, ['SIGTERM'])
    await clock.advance(1)
    await assert.rejects(stopped, /worker 1: did not end in order/)
    assert.deepEqual(started[1]!.signals, ['SIGTERM', 'SIGKILL'])
  })

  test('W2. nothing is started after a stop, also what was to be', async () => {
    const { started, supervisor, clock } = setup({ workers: 1 })
    started[0]!.end(null, 'SIGKILL')
    await clock.advance(0)
    await supervisor.stop()
    await clock.advance(60_000)
    assert.equal(started.length, 1)
  })

  test('W2. when none can be started, that is the end and no wait for those that never were', async () => {
    const { started, supervisor, clock } = setup()
    for (const worker of started) worker.refuse()
    let end: unknown
    supervisor.finished.catch(error => {
      end = error
    })
    await clock.advance(0)
    assert.match(String(end), /worker 0: .*spawn EAGAIN/)
  })

  test('W2. Ctrl-C reaches a worker that does not listen yet: it ends by that, and in order', async () => {
    const { started, supervisor } = setup()
    const stopped = supervisor.stop()
    started[0]!.end(null, 'SIGINT')
    started[1]!.end(null, 'SIGHUP')
    await stopped
  })

  test('W3. until the end: it is over when each has come there, also one that was replaced', async () => {
    const { started, supervisor, clock } = setup({ untilEnd: true })
    started[0]!.end(null, 'SIGKILL')
    started[1]!.tell({ kind: 'summary', summary: SUMMARY, reachedEnd: true })
    started[1]!.end(0)
    await clock.advance(500)
    assert.equal(supervisor.reachedEnd, false)
    started[2]!.tell({ kind: 'summary', summary: SUMMARY, reachedEnd: true })
    started[2]!.end(0)
    await supervisor.finished
    assert.deepEqual([supervisor.reachedEnd, supervisor.summaries.length], [true, 2])
  })

  test('W3. one that crashes after its summary is not done: what was started again is waited for', async () => {
    const { started, supervisor, clock } = setup({ untilEnd: true })
    let isOver = false
    void supervisor.finished.then(() => {
      isOver = true
    })
    started[0]!.tell({ kind: 'summary', summary: SUMMARY, reachedEnd: true })
    started[0]!.end(null, 'SIGSEGV')
    started[1]!.tell({ kind: 'summary', summary: SUMMARY, reachedEnd: true })
    started[1]!.end(0)
    await clock.advance(500)
    assert.deepEqual([started.length, isOver, supervisor.reachedEnd], [3, false, false])
    started[2]!.tell({ kind: 'summary', summary: SUMMARY, reachedEnd: true })
    started[2]!.end(0)
    await supervisor.finished
  })
})
