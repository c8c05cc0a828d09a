import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resumeWorkers, workersHealth } from '../../src/cli/worker-endpoints.ts'
import { startOpsServer } from '../../src/ops/http-server.ts'
import type { HealthReport } from '../../src/ops/run-health.ts'

const worker = (index: number, url: string | undefined) => ({ index, url, running: true, restarts: 0, done: false })

test('a worker that does not answer keeps no other one from going on after a halt', async () => {
  let isHalted = true
  const server = await startOpsServer({
    port: 0,
    health: () => ({}) as HealthReport,
    resume: () => {
      const was = isHalted
      isHalted = false
      return was
    },
    metrics: { contentType: 'text/plain', text: async () => '' },
  })
  // It has just ended: nobody listens there.
  const gone = await startOpsServer({
    port: 0,
    health: () => assert.fail(),
    resume: () => true,
    metrics: server as never,
  })
  await gone.close()
  const workers = [worker(0, gone.url), worker(1, server.url), worker(2, undefined)]
  assert.equal(await resumeWorkers(workers), true)
  assert.equal(isHalted, false)
  await assert.rejects(resumeWorkers(workers), /fetch failed/)
  const { live, ready, problems } = await workersHealth(workers.slice(0, 1))
  assert.deepEqual(
    [live, ready, problems],
    [true, false, { 'worker 0: process': 'is ending' }],
    'its parent mends that',
  )
  assert.equal(await resumeWorkers(workers.slice(1)), false)
  await server.close()
})
