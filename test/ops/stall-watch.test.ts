import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { suite, test } from 'node:test'
import { startStallWatch } from '../../src/ops/stall-watch.ts'
import { eventually } from '../support/eventually.ts'

const module = new URL('../../src/ops/stall-watch.ts', import.meta.url).href

/** Runs a program that watches itself; resolves with how it ended. */
function run(body: string): Promise<{ signal: string | null; code: number | null; stderr: string }> {
  const program = `import { startStallWatch } from ${JSON.stringify(module)}\n${body}`
  return new Promise(resolve => {
    const child = execFile(
      process.execPath,
      ['--input-type=module', '--eval', program],
      { timeout: 30_000 },
      (_error, _stdout, stderr) => resolve({ signal: child.signalCode, code: child.exitCode, stderr }),
    )
  })
}

suite('stall watch', () => {
  test('1. a main thread that never comes back ends the process, saying what it was doing', async () => {
    const { signal, stderr } = await run(`
      const watch = startStallWatch({ stallMs: 400 })
      watch.note('something before, with a longer name')
      watch.note('classify, preprocess 0, digits/3 from 1200')
      setTimeout(() => { for (;;) {} }, 100)`)
    assert.equal(signal, 'SIGKILL')
    const { code, msg } = JSON.parse(stderr.trim().split('\n').at(-1)!)
    assert.equal(code, 'STALLED')
    assert.match(msg, /has not run for \d+ ms; it was doing: classify, preprocess 0, digits\/3 from 1200\. The process/)
  })

  test('a main thread that works, and stops for less, goes on; nothing keeps the process alive', async () => {
    const { signal, code, stderr } = await run(`
      startStallWatch({ stallMs: 2_000 })
      const busyUntil = performance.now() + 600
      while (performance.now() < busyUntil) {}
      setTimeout(() => {}, 100)`)
    assert.deepEqual([signal, code, stderr], [null, 0, ''])
  })

  test('delays are told', async () => {
    const delays: number[] = []
    const watch = startStallWatch({ stallMs: 10_000, onDelay: ms => void delays.push(ms) })
    try {
      await eventually('a long turn is told', () => {
        const until = performance.now() + 1_100
        while (performance.now() < until);
        return delays.some(ms => ms > 400)
      })
    } finally {
      await watch.stop()
    }
  })
})
