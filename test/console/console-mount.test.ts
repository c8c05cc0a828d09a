// The console inside the server for health and metrics: made when somebody looks, and gone with the instance.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { hasConsole, mountConsole } from '../../src/console/console-mount.ts'
import { createConsoleServer } from '../../src/console/console-server.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { type OpsServerOptions, startOpsServer } from '../../src/ops/http-server.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { root } from '../repo/source-files.ts'
import { fixtureSource } from './fixture-source.ts'

async function mounted(t: TestContext, fails = () => false) {
  const made = { count: 0 }
  const mount = mountConsole(async () => {
    made.count++
    if (fails()) throw new Error('no way')
    return createConsoleServer({ source: fixtureSource(), access: { hosts: [], token: undefined }, clock: systemClock })
  }, silentLogger)
  const server = await startOpsServer({
    ...({ health: () => ({ live: true, ready: true }), resume: () => false } as unknown as OpsServerOptions),
    metrics: { contentType: 'text/plain', text: async () => '' },
    ...{ port: 0, console: mount.handle },
  })
  t.after(async () => {
    await mount.close()
    await server.close()
  })
  return { url: server.url, mount, made }
}

describe('the console of an instance, among its other addresses', () => {
  it('is made by the first request for it, and by none before', async t => {
    const { url, made } = await mounted(t)
    for (const path of ['/livez', '/readyz', '/metrics', '/consoles']) await (await fetch(url + path)).text()
    assert.equal(made.count, 0)
    const pages = await Promise.all(['/console/', '/console', '/', '/console/api/about'].map(path => fetch(url + path)))
    assert.deepEqual(
      pages.map(({ status }) => status),
      [200, 200, 200, 200],
    )
    assert.ok((await pages[2]!.text()).includes('<html'))
    assert.equal(made.count, 1)
  })

  it('leaves the other addresses as they were', async t => {
    const { url } = await mounted(t)
    assert.equal((await fetch(`${url}/livez`)).status, 200)
    assert.equal((await fetch(`${url}/nothing`)).status, 404)
    assert.equal((await fetch(`${url}/livez`, { headers: { host: 'kri.example' } })).status, 200)
  })

  it('ends its listeners when the instance is stopped, and answers nothing any more', async t => {
    const { url, mount } = await mounted(t)
    const stream = await fetch(`${url}/console/api/events`)
    await mount.close()
    for await (const _ of stream.body!);
    const late = await fetch(`${url}/console/api/about`)
    assert.equal(late.status, 503)
    assert.equal(((await late.json()) as { code: string }).code, 'CLOSED')
    assert.equal((await fetch(`${url}/livez`)).status, 200)
  })

  it('can fail to be made without harm, and is made by who asks next', async t => {
    let isBroken = true
    const { url } = await mounted(t, () => isBroken)
    assert.equal((await fetch(`${url}/console/`)).status, 500)
    assert.equal((await fetch(`${url}/readyz`)).status, 200)
    isBroken = false
    assert.equal((await fetch(`${url}/console/`)).status, 200)
  })

  it('costs an instance that nobody looks at no module: none of the server is loaded with kri run', async () => {
    const script = "await import('./src/cli/run.ts')"
    const options = ['--conditions=kri-source', '--import=./test/support/say-loaded-modules.ts', '--input-type=module']
    const { stderr } = await promisify(execFile)(process.execPath, [...options, '-e', script], { cwd: root })
    const loaded = JSON.parse(stderr.trim().split('\n').at(-1)!) as string[]
    assert.ok(loaded.some(url => url.endsWith('/src/cli/run-console.ts')))
    assert.deepEqual(
      loaded.filter(url => /fastify|uplot|src\/console\/(?!console-mount)/.test(url)),
      [],
    )
  })

  it('is there by default where only this machine can ask for it, and elsewhere when it is asked for', () => {
    for (const httpHost of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) assert.ok(hasConsole({ httpHost }), httpHost)
    for (const httpHost of ['0.0.0.0', '::', '10.0.0.1', 'kri.example', '127.0.0.1.evil.example'])
      assert.ok(!hasConsole({ httpHost }), httpHost)
    assert.ok(hasConsole({ httpHost: '0.0.0.0', console: 'on' }))
    assert.ok(!hasConsole({ httpHost: '127.0.0.1', console: 'off' }))
  })
})
