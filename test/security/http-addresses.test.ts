// Health, metrics and resume answer on loopback alone unless they are told otherwise; those of workers always.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { workerArguments } from '../../src/cli/worker-process.ts'
import { loadSettings } from '../../src/load-settings.ts'
import { type OpsServerOptions, startOpsServer } from '../../src/ops/http-server.ts'

const answers = {
  health: () => ({ live: true, ready: true, state: 'joined', groups: {}, problems: {}, models: [] }),
  resume: () => true,
  metrics: { contentType: 'text/plain', text: async () => '' },
} as unknown as OpsServerOptions

async function livez(host: string, url: string): Promise<number> {
  const response = await fetch(`http://${host}:${new URL(url).port}/livez`)
  await response.body?.cancel()
  return response.status
}

describe('the addresses of an instance', () => {
  it('are on 127.0.0.1 by default', () => {
    assert.equal(loadSettings({ env: { KRI_BROKERS: 'a:1' } }).httpHost, '127.0.0.1')
  })

  // All of 127.0.0.0/8 is this machine: who listens on one of them does not answer at the others.
  const skip = process.platform === 'linux' ? false : 'only Linux has more addresses of loopback than one'
  it('answer there and nowhere else', { skip }, async () => {
    const server = await startOpsServer({ ...answers, port: 0 })
    assert.equal(await livez('127.0.0.1', server.url), 200)
    await assert.rejects(livez('127.0.0.2', server.url), /fetch failed/)
    await server.close()
  })

  it('answer everywhere when they are told to', { skip }, async () => {
    const server = await startOpsServer({ ...answers, host: '0.0.0.0', port: 0 })
    assert.equal(await livez('127.0.0.2', server.url), 200)
    await server.close()
  })

  it('of workers are on 127.0.0.1, also where those of the parent are not', () => {
    const own = { index: 1, lanes: 1, http: true }
    const words = workerArguments('t.ts', { httpHost: '0.0.0.0', httpPort: 8080 }, own)
    assert.deepEqual(
      words.filter(word => word.startsWith('--http')),
      ['--http-host=127.0.0.1', '--http-port=0'],
    )
  })
})
