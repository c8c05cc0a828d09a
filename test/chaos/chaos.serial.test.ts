// The short form of `npm run chaos`: a few faults under each guarantee, checked by the Java client.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { eventually } from '../support/eventually.ts'
import { processesNaming } from '../support/processes.ts'

const main = fileURLToPath(new URL('../../chaos/main.ts', import.meta.url))
/** All temporary files of a run are below it, so that what it leaves can be told. */
const folder = mkdtempSync(join(tmpdir(), 'kri-chaos-test-'))
const SHORT = ['--seconds', '30', '--calm-seconds', '4', '--rate', '200', '--seed', '3', '--json']

describe('chaos', () => {
  after(() => rmSync(folder, { recursive: true, force: true }))

  for (const guarantee of ['at_least_once', 'exactly_once'])
    it(`${guarantee} holds while instances, brokers and the registry are taken away, and no process stays behind`, async t => {
      const { code, stdout, stderr } = await chaos(['--guarantee', guarantee, ...SHORT]).ended
      if (stderr.includes('[CLUSTER_UNAVAILABLE]')) return t.skip(stderr)
      assert.equal(code, 0, stdout + stderr)
      const { produced, outputs, deadLetters, faults, brokenPromises } = JSON.parse(stdout)
      assert.deepEqual(brokenPromises, [])
      assert.ok(produced > 1_000 && outputs + deadLetters >= produced, stdout)
      const kinds = Object.values(faults as Record<string, { count: number; inFlight: number }>)
      assert.ok(kinds.filter(({ count }) => count > 0).length >= 3, stdout)
      assert.deepEqual([processesNaming(folder), readdirSync(folder)], [[], []])
      t.diagnostic(stdout.trim())
    })

  it('leaves no process behind when it is interrupted in the midst of it', async t => {
    const running = chaos(['--seed', '1', '--rate', '100'])
    await eventually('instances run', () => processesNaming(folder).length > 5 || running.isOver(), 120_000)
    running.child.kill('SIGINT')
    const { code, stderr } = await running.ended
    if (stderr.includes('[CLUSTER_UNAVAILABLE]')) return t.skip(stderr)
    assert.equal(code, 130, stderr)
    assert.deepEqual([processesNaming(folder), readdirSync(folder)], [[], []])
  })

  it('refuses a flag that makes no sense', async () => {
    const { code, stderr } = await chaos(['--faults', 'fire']).ended
    assert.equal(code, 2)
    assert.match(stderr, /--faults takes kill, stop, broker, rebalance, registry, got "fire"/)
  })
})

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
