import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { startOpsServer } from '../../src/ops/http-server.ts'
import type { HealthReport } from '../../src/ops/run-health.ts'
import { startKri } from '../support/kri-process.ts'

const WHY = '[TOO_MANY_DEAD_LETTERS] preprocessing of step calc: 100 of 100 records failed'

/** An instance as far as this command sees one. */
async function instance(t: TestContext, problems: Record<string, string>) {
  const server = await startOpsServer({
    port: 0,
    health: () => ({ live: true, ready: false, problems }) as unknown as HealthReport,
    resume: () => {
      const halts = Object.keys(problems).filter(what => what.endsWith('halted'))
      for (const what of halts) delete problems[what]
      return halts.length > 0
    },
    metrics: { contentType: 'text/plain', text: async () => '' },
  })
  t.after(() => server.close())
  return { port: new URL(server.url).port, problems }
}

async function resume(...flags: string[]) {
  const process = startKri(['resume', ...flags])
  return { code: await process.ended, output: process.output(), log: process.log() }
}

describe('kri resume', () => {
  it('lets a halted instance go on, says why it was halted, and that it was not when it was not', async t => {
    const { port, problems } = await instance(t, { halted: WHY, kafka: 'connecting' })
    const first = await resume('--http-port', port)
    assert.deepEqual([first.code, first.log], [0, ''])
    assert.equal(first.output, `http://127.0.0.1:${port} goes on. It was halted:\n  halted: ${WHY}\n`)
    assert.deepEqual(Object.keys(problems), ['kafka'])
    const again = await resume('--http-port', port)
    assert.equal(again.code, 0)
    assert.match(again.output, /was not halted: nothing to do/)
  })

  it('--json is one object; reasons of workers are told with their names; 0.0.0.0 is asked on loopback', async t => {
    const { port } = await instance(t, { 'worker 1: halted': WHY, 'worker 0: start': 'joining' })
    const { code, output } = await resume('--http-host', '0.0.0.0', '--http-port', port, '--json')
    assert.equal(code, 0)
    const url = `http://127.0.0.1:${port}`
    assert.deepEqual(JSON.parse(output), { url, resumed: true, reasons: { 'worker 1: halted': WHY } })
  })

  it('fails with what to do where nothing answers, something else does, or no port is known', async t => {
    const nobody = await resume('--http-port', '1')
    assert.equal(nobody.code, 1)
    assert.match(nobody.log, /INSTANCE_UNAVAILABLE.*127\.0\.0\.1:1\/readyz.*--http-port or KRI_HTTP_PORT/s)
    const other = createServer((_, response) => response.writeHead(404).end('not found'))
    await new Promise<void>(listening => other.listen(0, '127.0.0.1', listening))
    t.after(() => other.close())
    const stranger = await resume('--http-port', String((other.address() as AddressInfo).port), '--json')
    assert.equal(stranger.code, 1)
    assert.match(stranger.log + stranger.output, /INSTANCE_UNAVAILABLE.*HTTP 404 not found/)
    const unknown = await resume('--http-port', '0')
    assert.equal(unknown.code, 1)
    assert.match(unknown.log, /SETTINGS_INVALID.*httpPort is 0: expected the port on which the instance listens/)
  })
})
