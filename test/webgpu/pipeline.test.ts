/** A topology whose model runs on webgpu, as operators run it: on real brokers, with its health and metrics. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { HealthReport } from '../../src/ops/run-health.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { kriOnCluster } from '../support/kri-on-cluster.ts'
import { writeRows } from '../support/raw-rows.ts'
import { withoutVulkan, withVulkan } from '../support/vulkan.ts'

const RECORDS = 500

const { brokers, prefix: own, skip } = await testCluster()
const withoutGpu = withVulkan()

describe('a topology whose model asks for a GPU', { skip }, () => {
  const cluster = kriOnCluster('webgpu', brokers)
  const { kri } = cluster

  /** Runs it over some records; what health and metrics say once they are through. */
  async function run(name: string, providers: string) {
    const prefix = `${own}${name}.`
    const topology = ['test/support/provider-topology.ts', `--param=prefix=${prefix}`, `--param=providers=${providers}`]
    assert.equal(await kri('topics', 'apply', ...topology, '--partitions=2').ended, 0)
    await writeRows(cluster.port, `${prefix}in`, { partitions: 2, records: RECORDS })
    const process = kri('run', ...topology, '--http-port=0')
    await process.whenReady(60_000)
    const committed = async () => cluster.port.admin.committed(`${prefix}app`, `${prefix}in`)
    const isDone = async () => (await committed()).every(offset => offset === RECORDS / 2)
    await eventually('all records are answered', isDone, 60_000)
    const written = (await cluster.port.admin.offsets(`${prefix}out`)).reduce((sum, { end }) => sum + end, 0)
    assert.equal(written, RECORDS)
    const health = JSON.parse(await process.text('/readyz')) as HealthReport
    const metrics = await process.text('/metrics')
    process.child.kill('SIGTERM')
    assert.equal(await process.ended, 0, process.log())
    return { health, metrics: metrics.split('\n'), log: process.log() }
  }

  test('runs on webgpu, and health, metrics and log say so', { skip: withoutGpu }, async () => {
    const { health, metrics, log } = await run('gpu', 'cuda,webgpu,cpu')
    assert.deepEqual(health.problems, {})
    const [{ refusedProviders, ...served }, ...others] = health.models as [HealthReport['models'][0]]
    assert.deepEqual(served, {
      step: 'classify',
      modelId: 'models/digits-mlp-v1.onnx',
      provider: 'webgpu',
      partlyOnCpu: false,
      lanes: 1,
    })
    assert.deepEqual(others, [])
    assert.deepEqual(
      refusedProviders.map(({ provider }) => provider),
      ['cuda'],
    )
    assert.ok(metrics.includes('kri_model_provider{step="classify",provider="webgpu"} 1'))
    const counted = new RegExp(`^num_inferences\\{.*step="classify".*\\} ${RECORDS}$`)
    assert.ok(metrics.some(line => counted.test(line)))
    assert.match(log, /"provider":"webgpu".*"refusedProviders":\[\{"provider":"cuda","reason":"\S/)
  })

  test('runs on cpu where there is none, and health, metrics and log say so', async () => {
    withoutVulkan()
    const { health, metrics, log } = await run('none', 'webgpu,cpu')
    const [served] = health.models
    assert.deepEqual([served!.provider, served!.refusedProviders[0]!.provider], ['cpu', 'webgpu'])
    assert.ok(metrics.includes('kri_model_provider{step="classify",provider="cpu"} 1'))
    assert.match(log, /"refusedProviders":\[\{"provider":"webgpu","reason":"found no GPU through Vulkan/)
  })
})
