import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resumeWorkers } from '../../src/cli/worker-endpoints.ts'
import { startOpsServer } from '../../src/ops/http-server.ts'
import type { HealthReport } from '../../src/ops/run-health.ts'

test('POST /resume of the parent reaches every worker that runs, and says whether one was halted', async t => {
  const halted = [false, true, true]
  const servers = await Promise.all(
    halted.map((_, i) =>
      startOpsServer({
        port: 0,
        health: () => ({}) as HealthReport,
        resume: () => {
          const was = halted[i]!
          halted[i] = false
          return was
        },
        metrics: { contentType: 'text/plain', text: async () => '' },
      }),
    ),
  )
  t.after(() => Promise.all(servers.map(server => server.close())))
  const views = servers.map(({ url }, index) => ({ index, url, running: true, done: false, restarts: 0 }))
  const gone = { index: 3, url: 'http://127.0.0.1:1', running: false, done: false, restarts: 1 }
  assert.equal(await resumeWorkers([...views, gone]), true)
  assert.deepEqual(halted, [false, false, false])
  assert.equal(await resumeWorkers(views), false)
})
