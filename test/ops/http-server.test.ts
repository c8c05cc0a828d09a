import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { startOpsServer } from '../../src/ops/http-server.ts'
import type { HealthReport } from '../../src/ops/run-health.ts'

const metrics = { contentType: 'text/plain; version=0.0.4', text: async () => 'num_inferences 1\n' }

async function serve(
  t: { after(run: () => Promise<void>): void },
  report: Partial<HealthReport> = {},
  resume = () => false,
) {
  const health = { live: true, ready: true, state: 'joined', problems: {}, ...report } as HealthReport
  const server = await startOpsServer({ port: 0, health: () => health, resume, metrics })
  t.after(() => server.close())
  return server
}

suite('health and metrics over HTTP', () => {
  test('an instance that works is live and ready', async t => {
    const { url } = await serve(t)
    for (const path of ['/livez', '/readyz', '/readyz?verbose']) {
      const response = await fetch(url + path)
      assert.equal(response.status, 200)
      assert.equal(((await response.json()) as HealthReport).state, 'joined')
    }
  })

  test('an instance that waits for an outage to end is live', async t => {
    const { url } = await serve(t, { state: 'degraded', problems: { kafka: 'no broker answers' } })
    const response = await fetch(`${url}/livez`)
    assert.equal(response.status, 200)
    assert.deepEqual(((await response.json()) as HealthReport).problems, { kafka: 'no broker answers' })
  })

  test('what it says of models shows no credential of their addresses', async t => {
    const modelId = 'https://u:swordfish@h/m.onnx?X-Amz-Signature=swordfish'
    const slots = [{ slot: 's', modelId, reason: `cannot load ${modelId}` }] as unknown as HealthReport['slots']
    const { url } = await serve(t, { slots, problems: { model: `${modelId} is gone` } })
    const text = await (await fetch(`${url}/readyz`)).text()
    assert.match(text, /"modelId":"https:\/\/\*\*\*@h\/m\.onnx\?X-Amz-Signature=\*\*\*"/)
    assert.doesNotMatch(text, /swordfish/)
  })

  test('what is not ready gets 503, and only what is not live is to be restarted', async t => {
    const starting = await serve(t, { ready: false, state: 'starting' })
    assert.equal((await fetch(`${starting.url}/livez`)).status, 200)
    assert.equal((await fetch(`${starting.url}/readyz`)).status, 503)
    const failed = await serve(t, { live: false, ready: true, state: 'failed' })
    assert.equal((await fetch(`${failed.url}/livez`)).status, 503)
    assert.equal((await fetch(`${failed.url}/readyz`)).status, 503)
  })

  test('metrics come as they are', async t => {
    const { url } = await serve(t)
    const response = await fetch(`${url}/metrics`)
    assert.equal(response.headers.get('content-type'), metrics.contentType)
    assert.equal(await response.text(), 'num_inferences 1\n')
  })

  test('POST /resume ends a halt, and says when there was none; nothing but a POST does, and no web page', async t => {
    let halts = 1
    const { url } = await serve(t, {}, () => halts-- > 0)
    const ask = (init: RequestInit) => fetch(`${url}/resume`, init).then(({ status }) => status)
    assert.deepEqual([await ask({}), await ask({ method: 'PUT' })], [405, 405])
    assert.equal(await ask({ method: 'POST', headers: { origin: 'https://example.org' } }), 403)
    assert.deepEqual([await ask({ method: 'POST' }), await ask({ method: 'POST' })], [200, 409])
  })

  test('a report that cannot be made is a 500, and not the end of the process', async t => {
    const fail = () => {
      throw new RangeError('asked for')
    }
    const options = { port: 0, health: fail, resume: fail, metrics: { contentType: 'text/plain', text: fail } }
    const server = await startOpsServer(options)
    t.after(() => server.close())
    const asked: [path: string, method: string][] = [
      ['/livez', 'GET'],
      ['/metrics', 'GET'],
      ['/resume', 'POST'],
    ]
    for (const [path, method] of asked) {
      const response = await fetch(server.url + path, { method })
      assert.deepEqual([response.status, await response.json()], [500, { error: 'asked for' }])
    }
  })

  test('anything else is refused', async t => {
    const { url } = await serve(t)
    assert.equal((await fetch(`${url}/`)).status, 404)
    assert.equal((await fetch(`${url}/livez`, { method: 'POST' })).status, 405)
  })

  test('listens on loopback only', async t => {
    assert.match((await serve(t)).url, /^http:\/\/127\.0\.0\.1:\d+$/)
  })

  test('a port that is taken is a clear error', async t => {
    const { url } = await serve(t)
    const port = Number(new URL(url).port)
    await assert.rejects(
      startOpsServer({ port, health: () => ({}) as HealthReport, resume: () => false, metrics }),
      (error: { code?: string; message: string }) => {
        assert.equal(error.code, 'SETTINGS_INVALID')
        assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}: another process listens there`))
        return true
      },
    )
  })
})
