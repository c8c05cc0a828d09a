// The one that looks must see: each kind of fault, put in on purpose.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { execute, MAX_CPU_MS } from '../../fuzz/execution.ts'
import { must, type Target } from '../../fuzz/target.ts'
import { RunInferenceError } from '../../src/errors.ts'

const targetOf = (run: Target['run']): Target => ({ seeds: [], codes: ['DECODE_MALFORMED'], run })
const input = Buffer.from('x')

async function faultOf(run: Target['run']) {
  return (await execute(targetOf(run), input)).fault
}

/** Takes that much processor time. */
function spin(ms: number): void {
  const before = process.cpuUsage()
  // Asking is itself work of the system, and most of it.
  for (let spentUs = 0; spentUs < ms * 1000; ) {
    const { user, system } = process.cpuUsage(before)
    spentUs = user + system
  }
}

test('what is refused with a code that fits is no fault, and what is taken neither', async () => {
  assert.deepEqual(
    await execute(
      targetOf(() => {}),
      input,
    ),
    { code: undefined, fault: undefined },
  )
  const refuse = () => {
    throw new RunInferenceError('DECODE_MALFORMED', 'no')
  }
  assert.deepEqual(await execute(targetOf(refuse), input), { code: 'DECODE_MALFORMED', fault: undefined })
})

test('another code, another error, a broken promise and a broken rule are faults', async () => {
  const wrong = [
    () => {
      throw new RunInferenceError('BUG', 'of ours')
    },
    () => {
      throw new TypeError('x is undefined')
    },
    () => Promise.reject(new RangeError('later')),
    () => must(false, 'it holds'),
  ]
  const found = []
  for (const run of wrong) found.push((await faultOf(run))?.what.split(/[:(]/)[0])
  assert.deepEqual(found, ['RunInferenceError', 'TypeError', 'RangeError', 'it holds'])
})

test('inputs that differ in numbers and quoted text only show one fault', async () => {
  const faults = new Set<string | undefined>()
  for (const i of [1, 22, 333]) {
    faults.add(
      (
        await faultOf(() => {
          throw new RangeError(`"${'x'.repeat(i)}" at ${i}`)
        })
      )?.what,
    )
  }
  assert.equal(faults.size, 1)
})

test('time out of proportion is a fault when it is the processor’s own', async () => {
  assert.equal((await faultOf(() => spin(MAX_CPU_MS + 50)))?.kind, 'slow')
  const nobody = new Int32Array(new SharedArrayBuffer(4))
  const wait = () => void Atomics.wait(nobody, 0, 0, MAX_CPU_MS + 50)
  assert.equal(await faultOf(wait), undefined, 'waiting is none')
})

test('an input of four times 64 KiB may take four times as long', async () => {
  const work = () => spin(MAX_CPU_MS * 1.5)
  assert.equal((await execute(targetOf(work), Buffer.alloc(4 * 65_536))).fault, undefined)
  assert.equal((await execute(targetOf(work), Buffer.alloc(65_536))).fault?.kind, 'slow')
})

test('memory out of proportion is a fault', async () => {
  let held: Buffer | undefined
  const fault = await faultOf(() => {
    held = Buffer.alloc(200 * 1024 * 1024, 1)
  })
  assert.equal(held?.length, 200 * 1024 * 1024)
  assert.equal(fault?.kind, 'memory')
})

test('something left behind in objects that all share is a fault', async () => {
  const shared = Object.prototype as Record<string, unknown>
  const fault = await faultOf(() => {
    shared.polluted = 1
  })
  delete shared.polluted
  assert.match(fault?.what ?? '', /polluted/)
})
