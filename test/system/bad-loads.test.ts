// One instance under exactly_once, whose models are published while it runs: good ones under load, and then some that do harm while they load.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setInterval } from 'node:timers/promises'
import { encodeOnnx } from '../../bench/onnx-writer.ts'
import { infer } from '../../bench/raw-session.ts'
import { readDigits, writeTrainedDigits } from '../../bench/train-digits.ts'
import { addedBy } from '../support/bad-loads-topology.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { followedApp } from '../support/followed-app.ts'
import type { KriProcess } from '../support/kri-process.ts'
import { judgeLabelled, type Recompute } from '../support/labelled-outputs.ts'
import { sealedBatch } from '../support/record-batches.ts'

const V1 = 'models/digits-mlp-v1.onnx'
const V2 = 'models/digits-mlp-v2.onnx'
const PARTITIONS = 3
const STEPS = ['infer', 'threaded', 'apart'] as const
type Step = (typeof STEPS)[number]
const CLASSES = 10
const PATIENCE_MS = 60_000
/** Of `run`: what hangs is given up then. */
const LOAD_MS = 15_000
const cluster = await testCluster()

describe('models that are published', { skip: cluster.skip, timeout: 240_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kri-bad-loads-'))
  const trained = join(folder, 'trained.onnx')
  const greedy = join(folder, 'greedy.onnx')
  const app = followedApp(cluster, V1, PARTITIONS, 'test/support/bad-loads-topology.ts')
  const digits = Float32Array.from(readDigits().flatMap(({ pixels }) => pixels))
  const expected = new Map<string, Float32Array>()
  let instance: KriProcess

  before(async () => {
    writeTrainedDigits(trained)
    writeFileSync(greedy, encodeGreedy())
    for (const model of [V1, V2, trained]) expected.set(model, await infer(model, digits, 64))
    instance = run()
    await instance.whenReady(PATIENCE_MS)
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  const run = () => {
    const own = ['--http-port=0', '--processing-guarantee=exactly_once', `--model-roots=models,${folder}`]
    return app.processes.kri('run', app.module, ...app.flags, ...own, '--lanes=1', `--model-load-timeout-ms=${LOAD_MS}`)
  }
  const roots = ['--model-roots', `models,${folder}`]
  const publish = (step: Step, model: string) => app.json('publish', model, '--step', step, '--no-check', ...roots)

  /** By step: what serves, how far it is, and why. */
  async function status(): Promise<Record<Step, { state: string; modelId: string; reason?: string }>> {
    const { slots } = JSON.parse((await app.models('status', '--json')).stdout)
    const told = slots.map(({ slot, instances }: { slot: string; instances: readonly { status: object }[] }) => {
      return [slot, instances[0]?.status ?? {}]
    })
    return Object.fromEntries(told) as Record<Step, { state: string; modelId: string; reason?: string }>
  }
  async function until(
    what: string,
    wanted: Partial<Record<Step, string>>,
  ): Promise<Awaited<ReturnType<typeof status>>> {
    let now: Awaited<ReturnType<typeof status>>
    await eventually(
      what,
      async () => {
        now = await status()
        return Object.entries(wanted).every(([step, text]) => {
          const { state, modelId } = now[step as Step] ?? {}
          return `${state} ${modelId}` === text
        })
      },
      PATIENCE_MS,
    ).catch((error: Error) => {
      throw new Error(`${error.message}, but ${JSON.stringify(now)}\n${instance.log()}`)
    })
    return now!
  }

  const digitAt = (partition: number, offset: number) => (offset * PARTITIONS + partition) % (digits.length / 64)
  let written = 0
  /** The next rows of every partition. */
  async function write(rows: number): Promise<void> {
    const writer = app.processes.port.writer()
    const batches = Array.from({ length: PARTITIONS }, (_, partition) => {
      const records = Array.from({ length: rows }, (_, i) => {
        const at = 64 * digitAt(partition, written + i)
        const value = Buffer.from(digits.slice(at, at + 64).buffer)
        return { timestamp: Date.now(), key: null, value, headers: [] }
      })
      return sealedBatch(records, app.input, partition)
    })
    await writer.send(batches)
    await writer.close()
    written += rows
  }
  const recompute: Recompute = (modelId, partition, offset) => {
    const digit = digitAt(partition, offset)
    return expected.has(modelId)
      ? expected.get(modelId)!.subarray(CLASSES * digit, CLASSES * (digit + 1))
      : [digits[64 * digit]! + addedBy(modelId)]
  }
  /** What all that was written has become, by step and model. */
  async function judged(): Promise<Record<Step, Record<string, number>>> {
    const { port } = app.processes
    await eventually(
      'all is committed',
      async () => (await port.admin.committed(app.id, app.input)).every(offset => offset === written),
      PATIENCE_MS,
    )
    const counts = STEPS.map(async step => {
      const topics = { source: app.input, output: `${app.id}.out.${step}` }
      return [step, Object.fromEntries(await judgeLabelled(port, topics, recompute))]
    })
    return Object.fromEntries(await Promise.all(counts)) as Record<Step, Record<string, number>>
  }

  it('five times under load: every record once, by the model that it names', async () => {
    const over = new AbortController()
    const load = (async () => {
      for await (const _ of setInterval(50)) {
        if (over.signal.aborted) break
        await write(5)
      }
    })()
    for (const model of [V2, trained, V1, trained, V2]) {
      const { waited } = await app.json('publish', model, '--step', 'infer', '--no-check', '--wait', '60', ...roots)
      assert.equal(waited.outcome, 'current')
    }
    over.abort()
    await load
    await write(5)
    const { infer: counts } = await judged()
    assert.deepEqual(Object.keys(counts).toSorted(), [trained, V1, V2].toSorted())
  })

  it('and run out of memory or end their worker change nothing, and say why', async () => {
    for (const step of ['threaded', 'apart'] as const) await publish(step, 'add-2')
    await until('good ones serve', { threaded: 'current add-2', apart: 'current add-2' })
    await publish('infer', greedy)
    await publish('threaded', 'exits')
    await publish('apart', 'hoards')
    const told = await until('none of them is taken up', {
      infer: `failed ${V2}`,
      threaded: 'failed add-2',
      apart: 'failed add-2',
    })
    assert.match(told.infer.reason!, /greedy\.onnx.*Failed to allocate memory/s)
    assert.match(told.threaded.reason!, /exits ended the worker that loaded it/)
    assert.match(told.apart.reason!, /hoards ended the worker that loaded it/)
    await expectOnly('add-2')
  })

  it('and hang while they load change nothing, and say so', async () => {
    await publish('infer', trained)
    await publish('threaded', 'blocks')
    await publish('apart', 'blocks')
    const told = await until('the good one is taken up beside them', {
      infer: `current ${trained}`,
      threaded: 'failed add-2',
      apart: 'failed add-2',
    })
    for (const step of ['threaded', 'apart'] as const)
      assert.match(told[step].reason!, new RegExp(`blocks was not loaded and warm within ${LOAD_MS} ms`))
    await expectOnly('add-2')
  })

  it('and are left behind again, or refused, keep no instance from stopping in time, nor from starting with the last good ones', async () => {
    const own = ['threaded', 'apart'] as const
    // What serves is not loaded again: nothing is waited for.
    for (const step of own) await app.json('rollback', '--step', step, '--to', 'add-2', '--wait', '60')
    for (const step of own) await publish(step, 'exits')
    const wanted = { infer: `current ${trained}`, threaded: 'failed add-2', apart: 'failed add-2' }
    await until('none is taken up', wanted)
    // A thread hangs still.
    await stop(instance)
    instance = run()
    await instance.whenReady(PATIENCE_MS)
    await until('what was good serves', wanted)
    await expectOnly('add-2')
    await stop(instance)
  })

  /** Rows that come now are scored, by the handlers of one's own with this model alone. */
  async function expectOnly(modelId: string): Promise<void> {
    const before = await judged()
    await write(20)
    const now = await judged()
    for (const step of ['threaded', 'apart'] as const)
      assert.equal(now[step][modelId], (before[step][modelId] ?? 0) + 20 * PARTITIONS, step)
  }

  async function stop({ child, ended, log }: KriProcess): Promise<void> {
    child.kill('SIGTERM')
    assert.equal(await ended, 0, log())
    assert.match(log(), /"msg":"ended in order"/)
    assert.doesNotMatch(log(), /shutdown budget is over/)
  }
})

/** A model whose warm-up wants more memory than any machine has. */
function encodeGreedy(): Uint8Array {
  const shape = { name: 'shape', dtype: 'int64', shape: [2], data: BigInt64Array.of(1n << 20n, 1n << 24n) } as const
  const pick = { name: 'pick', dtype: 'float32', shape: [64, CLASSES], data: new Float32Array(64 * CLASSES) } as const
  return encodeOnnx({
    inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 64] }],
    outputs: [{ name: 'probabilities', dtype: 'float32', shape: ['batch', CLASSES] }],
    constants: [shape, pick, { name: 'axes', dtype: 'int64', shape: [2], data: BigInt64Array.of(0n, 1n) }],
    nodes: [
      { op: 'ConstantOfShape', inputs: ['shape'], outputs: ['huge'] },
      { op: 'ReduceSum', inputs: ['huge', 'axes'], outputs: ['zero'], attributes: { keepdims: 0 } },
      { op: 'MatMul', inputs: ['x', 'pick'], outputs: ['z'] },
      { op: 'Add', inputs: ['z', 'zero'], outputs: ['probabilities'] },
    ],
  })
}
