import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startupPhases } from '../../bench/startup-phases.ts'

const at = (ms: number) => new Date(1_000_000 + ms).toISOString()
const LINES = [
  { time: at(500), msg: 'starting' },
  { time: at(560), msg: 'health and metrics', url: 'http://127.0.0.1:1' },
  { time: at(900), msg: 'model loaded', lane: 0, loadMs: 40 },
  { time: at(901), msg: 'model loaded', lanes: 1, loadMs: 40 },
  { time: at(905), msg: 'group member', state: 'connecting' },
  { time: at(950), msg: 'joined the group' },
]
const log = (lines: readonly object[]) => lines.map(line => `${JSON.stringify(line)}\n`).join('')

test('the phases of a start are one behind the other, and together the whole of it', () => {
  const phases = startupPhases(log(LINES), 1_000_000, 1_000_960)
  assert.deepEqual(phases, {
    processMs: 500,
    listenMs: 60,
    preparationMs: 300,
    modelMs: 40,
    joinMs: 50,
    answerMs: 10,
  })
  const sum = Object.values(phases).reduce((all, ms) => all + ms, 0)
  assert.equal(sum, 960)
})

test('lines that are no JSON are passed over, and a missing line is named', () => {
  assert.equal(startupPhases(`(node:1) Warning: …\n${log(LINES)}`, 1_000_000, 1_000_960).joinMs, 50)
  assert.throws(() => startupPhases(log(LINES.slice(0, 4)), 0, 0), /no line of the group/)
})
