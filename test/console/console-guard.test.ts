// What the console refuses: foreign names that resolve to it, pages of other origins, and whoever has no token.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TOKEN, testConsole } from '../support/console-http.ts'
import { fixtureSource } from './fixture-source.ts'

const { replays, models } = fixtureSource()

describe('under which names it is found', () => {
  it('answers to addresses and localhost', async t => {
    const { ask } = await testConsole(t)
    for (const host of [
      '127.0.0.1',
      '127.0.0.1:8080',
      'localhost:1',
      'LOCALHOST',
      '[::1]:8080',
      '10.1.2.3',
      'kri.localhost',
    ])
      assert.equal((await ask('/console/api/about', { headers: { host } })).status, 200, host)
  })

  it('refuses any other name: one of somebody else may resolve to here', async t => {
    const { ask, origin } = await testConsole(t)
    for (const host of [
      'evil.example',
      'evil.example:8080',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'a b',
    ]) {
      for (const path of ['/console/', '/console/api/about', '/console/api/events', '/console/main.js']) {
        const { status, text } = await ask(path, { headers: { host } })
        assert.ok(status === 403 || status === 400, `${host} ${path}: ${status}`)
        assert.ok(!text.includes('digits'), path)
      }
    }
    const changed = await ask('/console/api/dlq/replay', {
      ...{ method: 'POST', body: '{}' },
      headers: { host: 'evil.example', origin, authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    })
    assert.equal(changed.status, 403)
  })

  it('answers to names that are allowed', async t => {
    const { ask } = await testConsole(t, { access: { hosts: ['kri.example'], token: undefined } })
    assert.equal((await ask('/console/', { headers: { host: 'KRI.example:8443' } })).status, 200)
    assert.equal((await ask('/console/', { headers: { host: 'other.example' } })).status, 403)
  })
})

describe('who may look', () => {
  it('is nobody from a page of another site: it could not read the answer, but have scans run', async t => {
    const { letters } = fixtureSource()
    const groups = () => assert.fail('it was scanned')
    const { ask } = await testConsole(t, { source: { letters: { ...letters, groups } } })
    for (const site of ['cross-site', 'same-site'])
      for (const path of ['dlq/groups', 'dlq/groups?open=true', '%64lq/groups', 'events', 'about'])
        assert.equal(
          (await ask(`/console/api/${path}`, { headers: { 'sec-fetch-site': site } })).status,
          403,
          `${site} ${path}`,
        )
    for (const site of ['same-origin', 'none'])
      assert.equal((await ask('/console/api/about', { headers: { 'sec-fetch-site': site } })).status, 200, site)
    const link = await ask('/console/', { headers: { 'sec-fetch-site': 'cross-site' } })
    assert.equal(link.status, 200, 'a link leads to the page')
  })
})

describe('what changes anything', () => {
  const changes = ['dlq/replay', 'dlq/cancel', 'models/publish', 'models/rollback', 'models/promote', 'models/abort']
  const refusing = () => assert.fail('it came to what writes')
  const untouched = {
    replays: { ...replays, plan: refusing, start: refusing, cancel: refusing },
    models: { publish: refusing, change: refusing },
  }

  it('is refused where there is no token, whoever asks', async t => {
    const { post, ask } = await testConsole(t, { source: untouched, access: { hosts: [], token: undefined } })
    for (const path of changes) assert.equal((await post(`/console/api/${path}`, {})).status, 403, path)
    assert.equal(JSON.parse((await ask('/console/api/about')).text).canChange, false)
  })

  it('needs the token, all of it', async t => {
    const { post } = await testConsole(t, { source: untouched })
    for (const path of changes)
      for (const authorization of [
        '',
        'Bearer',
        `Bearer ${TOKEN}x`,
        `Bearer ${TOKEN.slice(1)}`,
        `Basic ${TOKEN}`,
        TOKEN,
      ])
        assert.equal(
          (await post(`/console/api/${path}`, {}, { authorization })).status,
          401,
          `${path} ${authorization}`,
        )
  })

  it('comes from its own page: another origin is refused, with the token too', async t => {
    const { post, origin, port } = await testConsole(t, { source: untouched })
    const others = [
      'http://evil.example',
      'null',
      '',
      `http://127.0.0.1:${port + 1}`,
      `http://localhost:${port}`,
      `${origin}/`,
    ]
    for (const path of changes)
      for (const other of others)
        assert.equal((await post(`/console/api/${path}`, {}, { origin: other })).status, 403, `${path} ${other}`)
    assert.equal((await post('/console/api/dlq/replay', {}, { 'sec-fetch-site': 'cross-site' })).status, 403)
  })

  it('is no form: what a page of another origin can send without asking is refused', async t => {
    const { post } = await testConsole(t, { source: untouched })
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/jsonp'])
      assert.equal((await post('/console/api/dlq/replay', {}, { 'content-type': type })).status, 415, type)
  })

  it('is a POST', async t => {
    const { ask } = await testConsole(t, { source: untouched })
    for (const path of changes) assert.equal((await ask(`/console/api/${path}`)).status, 404, path)
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS'])
      assert.equal((await ask('/console/api/dlq/replay', { method })).status, 405, method)
  })

  it('has a body of at most 64 KiB, of what is known and nothing else', async t => {
    const { post } = await testConsole(t, { source: untouched })
    assert.equal((await post('/console/api/dlq/replay', { selection: { text: 'x'.repeat(70_000) } })).status, 413)
    for (const body of [
      {},
      [],
      { selection: {}, sql: 1 },
      { selection: { stages: ['inference'] } },
      { selection: {}, name: '../audit' },
      { selection: {}, rate: 0 },
      { selection: {}, yes: 'true' },
    ])
      assert.equal((await post('/console/api/dlq/replay', body)).status, 400, JSON.stringify(body))
    assert.equal((await post('/console/api/models/publish', { slot: 'a', modelId: 'b', percent: 0 })).status, 400)
    for (const name of ['slot', 'modelId', 'modelName', 'reason'])
      assert.equal(
        (await post('/console/api/models/publish', { slot: 'a', modelId: 'b', [name]: 'a\0b' })).status,
        400,
        `NUL in ${name}`,
      )
  })

  it('is done when all of this is so', async t => {
    const { post } = await testConsole(t, { source: { models } })
    const plan = await post('/console/api/dlq/replay', { selection: { fingerprint: ['0123456789ab'] } })
    assert.deepEqual([plan.status, JSON.parse(plan.text).selected], [200, 403])
    const begun = await post('/console/api/dlq/replay', { selection: {}, name: 'night', yes: true })
    assert.deepEqual([begun.status, JSON.parse(begun.text).state], [200, 'running'])
    assert.equal((await post('/console/api/dlq/cancel', { name: 'night' })).status, 200)
    assert.equal((await post('/console/api/dlq/cancel', { name: 'another' })).status, 409)
    const published = await post('/console/api/models/publish', { slot: 'classify', modelId: 'm.onnx' })
    assert.deepEqual([published.status, JSON.parse(published.text).slot], [200, 'classify'])
  })
})
