// What the console answers: its page, JSON, and nothing that a record or a request says as anything else.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { WholeLetterView } from '../../src/console/console-api.ts'
import { RunInferenceError } from '../../src/errors.ts'
import { testConsole } from '../support/console-http.ts'
import { eventually } from '../support/eventually.ts'
import { fixtureSource } from './fixture-source.ts'

const HOSTILE = '"><script>alert(1)</script>\r\nSet-Cookie: a=b\u2028'
const { letters, models } = fixtureSource()

const NO_GROUPS = { groups: [], letters: 0, open: 0, reasons: 0 }

describe('the console', () => {
  it('answers with its page under a policy that runs nothing but its own scripts', async t => {
    const { ask } = await testConsole(t)
    const page = await ask('/console/')
    assert.equal(page.status, 200)
    assert.match(page.headers['content-type']!, /^text\/html/)
    const policy = page.headers['content-security-policy'] as string
    for (const rule of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"])
      assert.ok(policy.includes(rule), rule)
    assert.ok(!/unsafe|\*/.test(policy), policy)
    assert.equal(page.headers['x-content-type-options'], 'nosniff')
    assert.equal(page.headers['referrer-policy'], 'no-referrer')
    // The policy would refuse them, and the page would be broken.
    assert.doesNotMatch(page.text, /<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|https?:\/\/(?!www\.w3\.org)/i)
  })

  it('gives every module that its page imports, under the name that it imports it by', async t => {
    const { ask } = await testConsole(t)
    const seen = new Set<string>()
    const visit = async (name: string): Promise<void> => {
      if (seen.has(name)) return
      seen.add(name)
      const { status, text, headers } = await ask(`/console/${name}`)
      assert.equal(status, 200, name)
      assert.match(headers['content-type']!, /^text\/javascript/)
      for (const [, target] of text.matchAll(/^(?:import|export)\b[^'"]*['"]\.\/([^'"]+)['"]/gm)) await visit(target!)
    }
    await visit('main.js')
    assert.ok(seen.size > 3, [...seen].join())
  })

  it('tells browsers that have a file already that it is the same', async t => {
    const { ask } = await testConsole(t)
    const { headers } = await ask('/console/main.js')
    assert.equal((await ask('/console/main.js', { headers: { 'if-none-match': headers.etag! } })).status, 304)
  })

  it('keeps no answer of the API in any cache, and gives JSON alone', async t => {
    const { ask } = await testConsole(t)
    for (const path of ['about', 'dlq/groups', 'dlq/letters?limit=2', 'nothing']) {
      const { headers, text } = await ask(`/console/api/${path}`)
      assert.equal(headers['cache-control'], 'no-store', path)
      assert.match(headers['content-type']!, /^application\/json/)
      JSON.parse(text)
    }
  })

  it('says what is wrong with conditions that it does not know, in the words of the request', async t => {
    const { ask } = await testConsole(t)
    for (const query of ['stages=inference', 'text=a&text=b', 'open=perhaps', `since=${'9'.repeat(3_000)}`]) {
      const { status, text } = await ask(`/console/api/dlq/groups?${query}`)
      assert.equal(status, 400, query)
      assert.match(
        (JSON.parse(text) as { message: string }).message,
        /^\[SETTINGS_INVALID\] .*(stages|text|open|since)/s,
      )
    }
    for (const limit of ['0', '501', '-1', 'all', '1e2'])
      assert.equal((await ask(`/console/api/dlq/letters?limit=${limit}`)).status, 400, limit)
  })

  it('loses no condition behind a question mark that is part of one', async t => {
    const asked: unknown[] = []
    const groups = async (query: unknown) => {
      asked.push(query)
      return NO_GROUPS
    }
    const { ask } = await testConsole(t, { source: { letters: { ...letters, groups } } })
    assert.equal((await ask('/console/api/dlq/groups?text=why?&code=BAD_INPUT')).status, 200)
    assert.deepEqual(asked, [{ text: 'why?', code: ['BAD_INPUT'] }])
  })

  it('leads to its page wherever a proxy has put it', async t => {
    const { ask } = await testConsole(t)
    const { status, headers } = await ask('/console')
    assert.deepEqual([status, headers.location], [308, 'console/'])
  })

  it('does so many scans at one time, and refuses more', { timeout: 20_000 }, async t => {
    const held = Promise.withResolvers<typeof NO_GROUPS>()
    const { ask } = await testConsole(t, { source: { letters: { ...letters, groups: () => held.promise } } })
    const [first, second] = [ask('/console/api/dlq/groups'), ask('/console/api/dlq/groups')]
    await new Promise(resolve => setImmediate(resolve))
    let busy = await ask('/console/api/dlq/groups')
    while (busy.status === 200) busy = await ask('/console/api/dlq/groups')
    assert.deepEqual([busy.status, (JSON.parse(busy.text) as { code: string }).code], [503, 'CONSOLE_BUSY'])
    held.resolve(NO_GROUPS)
    assert.deepEqual([(await first).status, (await second).status], [200, 200])
    assert.equal((await ask('/console/api/dlq/groups')).status, 200)
  })

  it('makes so many changes of models at one time, and refuses more: each is a process', {
    timeout: 20_000,
  }, async t => {
    const held = Promise.withResolvers<{ slot: string; revision: number }>()
    let begun = 0
    const publish = () => {
      begun++
      return held.promise
    }
    const { post } = await testConsole(t, { source: { models: { ...models, publish } } })
    const ask = () => post('/console/api/models/publish', { slot: 'a', modelId: 'b' })
    const two = [ask(), ask()]
    await eventually('both have begun', () => begun === 2)
    const third = await ask()
    assert.deepEqual([third.status, (JSON.parse(third.text) as { code: string }).code], [503, 'CONSOLE_BUSY'])
    assert.equal((await post('/console/api/models/abort', { slot: 'a' })).status, 503)
    held.resolve({ slot: 'a', revision: 1 })
    for (const each of two) assert.equal((await each).status, 200)
  })

  it('ends a scan whose client has gone away', { timeout: 20_000 }, async t => {
    const aborted = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const groups = async (_: unknown, signal: AbortSignal) => {
      signal.addEventListener('abort', () => aborted.resolve())
      begun.resolve()
      await aborted.promise
      return NO_GROUPS
    }
    const { port } = await testConsole(t, { source: { letters: { ...letters, groups } } })
    const gone = new AbortController()
    const asked = fetch(`http://127.0.0.1:${port}/console/api/dlq/groups`, { signal: gone.signal })
    await begun.promise
    gone.abort()
    await assert.rejects(asked)
    await aborted.promise
  })

  it('tells an error by its code, and of one that is a bug no stack', async t => {
    const failing = async (): Promise<never> => {
      throw new TypeError('secret is not a function')
    }
    const down = async (): Promise<never> => {
      throw new RunInferenceError('BROKER_UNAVAILABLE', 'no broker answers')
    }
    const { ask } = await testConsole(t, { source: { letters: { ...letters, groups: failing, letters: down } } })
    const bug = await ask('/console/api/dlq/groups')
    assert.deepEqual([bug.status, JSON.parse(bug.text).code], [500, 'BUG'])
    assert.ok(!bug.text.includes('at '), bug.text)
    assert.equal((await ask('/console/api/dlq/letters')).status, 503)
  })
})

describe('what records, models and requests say', () => {
  it('is data in JSON, whatever it looks like: keys, headers, messages, model ids', async t => {
    const whole = { ...(await letters.letter('digits.x/0/1', AbortSignal.any([])))! }
    const hostile = {
      ...whole,
      key: HOSTILE,
      message: HOSTILE,
      modelId: HOSTILE,
      headers: [[HOSTILE, HOSTILE]] as const,
    }
    const { ask } = await testConsole(t, { source: { letters: { ...letters, letter: async () => hostile } } })
    const { headers, text } = await ask('/console/api/dlq/letter?place=digits.x/0/1')
    assert.match(headers['content-type']!, /^application\/json/)
    assert.equal(headers['set-cookie'], undefined)
    const given = JSON.parse(text) as WholeLetterView
    assert.deepEqual(
      [given.key, given.message, given.modelId, given.headers[0]],
      [HOSTILE, HOSTILE, HOSTILE, [HOSTILE, HOSTILE]],
    )
  })

  it('comes back from no path, parameter or body as anything but JSON', async t => {
    const { ask, post } = await testConsole(t)
    const text = encodeURIComponent('<script>alert(1)</script>')
    for (const answer of [
      await ask(`/console/${text}`),
      await ask(`/console/api/${text}`),
      await ask(`/console/api/dlq/letter?place=${text}`),
      await ask(`/console/api/dlq/groups?${text}=1`),
      await post('/console/api/models/publish', { slot: '<script>', modelId: 7 }),
      await post('/console/api/dlq/replay', '<script>'),
    ]) {
      assert.ok(answer.status >= 400, String(answer.status))
      assert.match(answer.headers['content-type']!, /^application\/json/)
      assert.equal(answer.headers['x-content-type-options'], 'nosniff')
    }
  })

  it('reaches no file but those of the page', async t => {
    const { ask } = await testConsole(t)
    for (const path of [
      '/console/../../package.json',
      '/console/..%2f..%2fpackage.json',
      '/console/%2e%2e/%2e%2e/%2e%2e/package.json',
      '/console/....//package.json',
      '/console//etc/passwd',
      '/console/..\\..\\package.json',
      '/console/main.ts',
      '/console/tsconfig.json',
      '/console/__proto__',
      '/console/constructor',
      '/console/index.html%00.js',
    ]) {
      const { status, text } = await ask(path)
      assert.ok([400, 404].includes(status), `${path}: ${status}`)
      assert.ok(!text.includes('"scripts"') && !text.includes('compilerOptions'), path)
    }
  })

  it('puts no header into the answer', async t => {
    const { ask } = await testConsole(t)
    for (const path of [
      '/console%0d%0aX-Evil:1',
      '/console/%0d%0aX-Evil:%201',
      '/console/api/dlq/letter?place=a%0d%0aX-Evil:1',
    ])
      assert.equal((await ask(path)).headers['x-evil'], undefined, path)
  })
})
