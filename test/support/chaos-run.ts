// `npm run chaos` as a process of its own, in the short form that fits into a test.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { FAULT_KINDS, type FaultKind } from '../../chaos/faults.ts'
import { processesNaming } from './processes.ts'

const main = fileURLToPath(new URL('../../chaos/main.ts', import.meta.url))
/** Each kind of fault once: much sooner than in that time, also where everything takes longer than it should. */
const SHORT = ['--seconds', '240', '--rounds', '1', '--calm-seconds', '3', '--rate', '200', '--json']

/** For a test file: call it once, outside of its tests. */
export function chaosRuns() {
  /** All temporary files of a run are below it, so that what it leaves can be told. */
  const folder = mkdtempSync(join(tmpdir(), 'kri-chaos-test-'))
  after(() => rmSync(folder, { recursive: true, force: true }))

  function chaos(args: readonly string[]) {
    const env = { ...process.env, TMPDIR: folder }
    const child = spawn(process.execPath, ['--conditions=kri-source', main, ...args], { env, stdio: 'pipe' })
    let [stdout, stderr] = ['', '']
    let isOver = false
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', code => {
        isOver = true
        resolve({ code, stdout, stderr })
      })
    })
    return { child, ended, isOver: () => isOver }
  }

  /** What still runs, and what still lies about. */
  const left = () => [processesNaming(folder), readdirSync(folder)]

  /** The guarantee holds in the run of this seed, with each of these faults, and nothing is left of it. */
  async function holds(
    t: TestContext,
    guarantee: string,
    seed: number,
    wanted: readonly FaultKind[] = FAULT_KINDS,
  ): Promise<void> {
    const course = ['--guarantee', guarantee, '--seed', String(seed), '--faults', wanted.join()]
    const { code, stdout, stderr } = await chaos([...course, ...SHORT]).ended
    if (stderr.includes('[CLUSTER_UNAVAILABLE]')) return t.skip(stderr)
    assert.equal(code, 0, stdout + stderr)
    const { produced, outputs, deadLetters, faults, brokenPromises } = JSON.parse(stdout)
    assert.deepEqual(brokenPromises, [])
    assert.ok(produced > 500 && outputs + deadLetters >= produced && deadLetters > 0, stdout)
    const kinds = Object.values(faults as Record<string, { readonly count: number; readonly inFlight: number }>)
    assert.deepEqual(
      kinds.map(({ count }) => count),
      wanted.map(() => 1),
      stdout,
    )
    // One may have come at a moment at which an instance had nothing to do.
    assert.ok(kinds.filter(({ inFlight }) => inFlight > 0).length >= wanted.length - 1, stdout)
    assert.deepEqual(left(), [[], []])
    t.diagnostic(stdout.trim())
  }

  return { chaos, left, holds, running: () => processesNaming(folder) }
}
