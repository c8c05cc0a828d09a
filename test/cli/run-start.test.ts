import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, test } from 'node:test'
import { topology as createTopology, from, utf8 } from '../../src/index.ts'
import { executorOf } from '../../src/models/lane-pool.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import { startTopology } from '../../src/run.ts'
import { DEFAULT_RUN_SETTINGS } from '../../src/run-settings.ts'
import { createMemoryBroker } from '../../src/testing/index.ts'
import { root } from '../repo/source-files.ts'
import { eventually } from '../support/eventually.ts'
import { kriOutput } from '../support/kri-output.ts'
import { startKri } from '../support/kri-process.ts'

const TOPOLOGY = ['topologies/raw-tensors.ts', '--param=model=models/digits-mlp-v1.onnx', '--param=width=64']
const NOBODY = ['--brokers', '127.0.0.1:1']

describe('kri run without a broker', () => {
  test('says within moments which broker refuses and why, in log and health, and Ctrl-C ends it at once with 130', async t => {
    const run = startKri(['run', ...TOPOLOGY, ...NOBODY, '--http-port=0'], { cwd: root })
    t.after(() => run.child.kill('SIGKILL'))
    await eventually('the log tells the cause', () => /waiting for the broker/.test(run.log()), 15_000)
    assert.match(run.log(), /"reason":"[^"]*127\.0\.0\.1:1[^"]*ECONNREFUSED/)
    const { ready, problems } = JSON.parse(await run.text('/readyz'))
    assert.equal(ready, false)
    assert.equal(problems.start, 'the broker is asked for the topics')
    assert.match(problems.broker, /127\.0\.0\.1:1.*ECONNREFUSED/)
    run.child.kill('SIGINT')
    assert.equal(await run.ended, 130, run.log())
    assert.doesNotMatch(run.log(), /"level":50|CLOSED/, 'no error line')
  })

  test('--until-end that is interrupted before it started says that it was stopped before the end', async t => {
    const run = startKri(['run', ...TOPOLOGY, ...NOBODY, '--http-port=off', '--until-end', '--json'], { cwd: root })
    t.after(() => run.child.kill('SIGKILL'))
    await eventually('it waits', () => /waiting for the broker/.test(run.log()), 15_000)
    run.child.kill('SIGINT')
    assert.equal(await run.ended, 130, run.log())
    assert.partialDeepStrictEqual(JSON.parse(run.output()), { reachedEnd: false, records: 0 })
  })

  test('check names broker and cause', async () => {
    const { code, stdout } = await kriOutput(['check', ...TOPOLOGY, ...NOBODY, '--json'], { cwd: root })
    assert.equal(code, 1)
    const { problems } = JSON.parse(stdout) as { problems: { where: string; what: string }[] }
    assert.equal(problems.length, 1)
    assert.match(problems[0]!.what, /127\.0\.0\.1:1.*ECONNREFUSED/)
  })
})

test('a second run on a machine is refused before anything is loaded, and told which setting to change', async t => {
  const taken = createServer().listen(0, '127.0.0.1')
  t.after(() => taken.close())
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  const { code, stderr } = await kriOutput(['run', ...TOPOLOGY, ...NOBODY, `--http-port=${port}`], { cwd: root })
  assert.equal(code, 1)
  assert.match(stderr, /SETTINGS_INVALID.*another process listens there.*--http-port or KRI_HTTP_PORT.*off = none/)
  assert.doesNotMatch(stderr, /waiting for the broker/)
})

test('stop does not wait for a broker that never answers', async () => {
  const port = createMemoryBroker({ clock: systemClock }).connect()
  const topology = createTopology('t', [from('in', utf8()).to('out', utf8())])
  const running = startTopology(topology, {
    port: { ...port, admin: { ...port.admin, describeTopics: () => new Promise(() => {}) } },
    executor: executorOf([]),
    registry: undefined,
    readSchema: async () => '',
    settings: DEFAULT_RUN_SETTINGS,
    clock: systemClock,
    random: Math.random,
    logger: silentLogger,
    metrics: nullMetrics,
  })
  assert.equal(running.health().problems.start, 'the broker is asked for the topics')
  const caughtUp = running.whenCaughtUp()
  await running.stop()
  assert.equal(await caughtUp, false)
  await assert.rejects(running.whenReady(), { code: 'CLOSED' })
})
