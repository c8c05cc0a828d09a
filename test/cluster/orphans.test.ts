import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { afterEach, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isRunning, readRunFile, sweepLeftovers } from '../../src/cluster/run-file.ts'
import { eventually } from '../support/eventually.ts'

const owners: ChildProcess[] = []
afterEach(() => {
  for (const owner of owners.splice(0)) owner.kill('SIGKILL')
})

/** A process with a service: it, the run folder, and the ids of everything that was started. */
async function startOwner(): Promise<{
  owner: ChildProcess
  folder: string
  pids: readonly number[]
  supervisorPid: number
}> {
  const program = fileURLToPath(new URL('../support/cluster-owner.ts', import.meta.url))
  const owner = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  owners.push(owner)
  const [text] = (await once(owner.stdout!, 'data')) as [Buffer]
  const folder = text.toString().trim()
  const run = readRunFile(folder)!
  const pids = [run.supervisorPid, ...run.services.map(({ pid }) => pid)]
  assert.equal(pids.length, 2, 'a supervisor and a broker')
  assert.ok(pids.every(pid => isRunning(pid, folder)))
  return { owner, folder, pids, supervisorPid: run.supervisorPid }
}

function ended(pids: readonly number[], folder: string): Promise<void> {
  return eventually('every process of the cluster ended', () => !pids.some(pid => isRunning(pid, folder)))
}

describe('nothing of a cluster outlives its owner', () => {
  for (const signal of ['SIGKILL', 'SIGINT', 'SIGTERM'] as const) {
    test(`when the owner gets ${signal}`, async () => {
      const { owner, folder, pids } = await startOwner()
      // The whole group, as a terminal does it.
      process.kill(-owner.pid!, signal)
      await ended(pids, folder)
      await eventually('the data is removed', () => !existsSync(folder))
    })
  }

  test('when the supervisor is killed', async () => {
    const { folder, pids, supervisorPid } = await startOwner()
    process.kill(supervisorPid, 'SIGKILL')
    await ended(pids, folder)
    await eventually('the data is removed', () => !existsSync(folder))
  })

  test('when both are killed, from the next start on', async () => {
    const { owner, folder, pids, supervisorPid } = await startOwner()
    process.kill(owner.pid!, 'SIGSTOP') // It must not clean up for the supervisor.
    process.kill(supervisorPid, 'SIGKILL')
    owner.kill('SIGKILL')
    await eventually('the supervisor is gone', () => !isRunning(supervisorPid, folder))
    assert.ok(isRunning(pids[1]!, folder), 'the broker is an orphan by now')
    sweepLeftovers()
    await ended(pids, folder)
    assert.ok(!existsSync(folder))
  })
})
