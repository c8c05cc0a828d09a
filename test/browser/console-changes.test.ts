// What the page says while things change below it: facts that are old, a dry run of another form, scans that nobody waits for.
import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import type { Browser } from 'playwright-core'
import type { ConsoleSource } from '../../src/console/console-source.ts'
import { inOwnZone } from '../../src/console/page/own-zone.ts'
import { RunInferenceError } from '../../src/errors.ts'
import { fixtureSource } from '../console/fixture-source.ts'
import { noBrowser, openBrowser, openPage } from '../support/browser.ts'
import { TOKEN, testConsole } from '../support/console-http.ts'
import { eventually } from '../support/eventually.ts'

const { letters, replays, models, snapshots } = fixtureSource()

test('a time that names no zone is in the zone of the reader, as those that the page shows', () => {
  const nine = new Date(2026, 10, 23, 9).toISOString()
  for (const text of ['2026-11-23 09:00', '2026-11-23T09:00:00', '2026-11-23T09:00:00.000'])
    assert.equal(inOwnZone(text), nine, text)
  assert.equal(inOwnZone('2026-11-23'), new Date(2026, 10, 23).toISOString())
  for (const text of ['2h', '2026-11-23T09:00Z', '2026-11-23T09:00+01:00', 'yesterday', '2026-13-45'])
    assert.equal(inOwnZone(text), text)
})

describe('the page while things change', { skip: noBrowser }, () => {
  let browser: Browser
  before(async () => {
    browser = await openBrowser()
  })
  after(() => browser?.close())

  const open = async (t: TestContext, hash: string, source: Partial<ConsoleSource>) => {
    const { origin } = await testConsole(t, { source })
    const watched = await openPage(browser, `${origin}/console/`, { hash })
    t.after(() => watched.close())
    return watched
  }
  const giveToken = async ({ page }: Awaited<ReturnType<typeof open>>) => {
    await page.getByLabel('Token', { exact: true }).fill(TOKEN)
    await page.keyboard.press('Enter')
  }

  test('says that what it shows is old when the server cannot tell how things are', async t => {
    let fails = false
    const take = async (signal: AbortSignal) => {
      if (fails) throw new RunInferenceError('BROKER_UNAVAILABLE', 'no broker answers')
      return snapshots.take(signal)
    }
    const { page, assertInnocent } = await open(t, '#/overview', { snapshots: { ...snapshots, everyMs: 100, take } })
    await page.locator('body:not(.old) .states .pill.good').first().waitFor()
    fails = true
    await page.locator('.problems').filter({ hasText: 'no broker answers' }).waitFor()
    await page
      .locator('body.old .states')
      .filter({ hasText: 'not known' })
      .filter({ hasText: 'as of' })
      .first()
      .waitFor()
    fails = false
    await page.locator('body:not(.old) .states .pill.good').first().waitFor()
    await assertInnocent()
  })

  test('lets go of the stream when nobody has seen it for a minute, and takes it up when somebody does', async t => {
    let [rests, taken] = [0, 0]
    const { page } = await open(t, '#/overview', {
      snapshots: {
        ...snapshots,
        take: signal => {
          taken++
          return snapshots.take(signal)
        },
        rest: () => {
          rests++
        },
      },
    })
    await page.clock.install()
    await page.reload()
    await page.getByText('live', { exact: true }).waitFor()
    const before = rests
    const see = (isSeen: boolean) =>
      page.evaluate(
        `Object.defineProperty(document, 'hidden', { get: () => ${!isSeen}, configurable: true }); document.dispatchEvent(new Event('visibilitychange'))`,
      )
    await see(false)
    await page.clock.fastForward(61_000)
    await eventually('nobody listens', () => rests > before)
    const unseen = taken
    await see(true)
    await eventually('somebody listens', () => taken > unseen)
    await page.getByText('live', { exact: true }).waitFor()
  })

  test('runs no replay whose form was changed during its dry run', async t => {
    const held = Promise.withResolvers<void>()
    const plan: typeof replays.plan = async (request, signal) => {
      await held.promise
      return replays.plan(request, signal)
    }
    const watched = await open(t, '#/dead-letters', { replays: { ...replays, plan } })
    const { page } = watched
    await page.getByRole('button', { name: 'Replay these…' }).click()
    await page.getByRole('button', { name: 'Dry run' }).click()
    await giveToken(watched)
    await page.getByText('Reading the dead-letter topics. Nothing is written.').waitFor()
    await page.getByLabel('Reason').fill('another one')
    held.resolve()
    await page.getByText('The form was changed during the dry run').waitFor()
    assert.equal(await page.getByRole('button', { name: /^Replay \d/ }).count(), 0)
    await page.getByRole('button', { name: 'Dry run' }).click()
    await page.getByRole('button', { name: /^Replay \d+ records$/ }).waitFor()
  })

  test('makes the dry run anew that was looked at for minutes', async t => {
    let [plans, starts] = [0, 0]
    const watched = await open(t, '#/dead-letters', {
      replays: {
        ...replays,
        plan: (request, signal) => {
          plans++
          return replays.plan(request, signal)
        },
        start: request => {
          starts++
          return replays.start(request)
        },
      },
    })
    const { page } = watched
    await page.getByRole('button', { name: 'Replay these…' }).click()
    await page.getByText('Name, rate and limits').click()
    await page.getByLabel('Records, at most').fill('3')
    await page.getByRole('button', { name: 'Dry run' }).click()
    await giveToken(watched)
    const run = page.getByRole('button', { name: /^Replay 3 of \d+ records$/ })
    await run.waitFor()
    await page.evaluate('{ const now = Date.now; Date.now = () => now() + 6 * 60_000 }')
    await run.click()
    await eventually('there is another dry run', () => plans === 2)
    await page.evaluate('{ const now = Date.now; Date.now = () => now() }')
    await run.click()
    await page.getByText(/Replay replay-\d+ has begun/).waitFor()
    assert.deepEqual([plans, starts], [2, 1])
  })

  test('says how much is left out, counts what is left out too, and breaks the name of no stage', async t => {
    const { groups } = await letters.groups({}, new AbortController().signal)
    const wide = groups.map(group => ({
      ...group,
      step: 'a-step-with-a-very-long-name-of-its-own',
      message: 'wide '.repeat(40),
    }))
    const [slot] = (await snapshots.take(new AbortController().signal)).models
    const take = async (signal: AbortSignal) => ({
      ...(await snapshots.take(signal)),
      ...{ instancesLeftOut: 340, models: [{ ...slot!, fleetLeftOut: { current: 41, failed: 2 } }] },
    })
    const { page, assertInnocent } = await open(t, '#/dead-letters', {
      letters: {
        ...letters,
        groups: async () => ({ groups: wide, letters: 1_812, open: 1_700, reasons: 10_000, untold: 7 }),
      },
      snapshots: { ...snapshots, everyMs: 100, take },
    })
    await page.getByText('1,812 dead letters of more than 10,000 reasons, 1,700 not yet taken by a replay').waitFor()
    await page.getByText('The 2 reasons of most letters; the others are not shown.').waitFor()
    for (const width of [390, 800, 1_100, 1_280]) {
      await page.setViewportSize({ width, height: 800 })
      const lines = await page
        .locator('.stages .whole')
        .evaluateAll(stages => stages.map(stage => stage.getClientRects().length))
      assert.deepEqual(lines, [1, 1], `at ${width} px`)
      const tooWide = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
      assert.equal(tooWide, 0, `at ${width} px`)
    }
    await page.goto(page.url().replace('dead-letters', 'instances'))
    await page.getByText('Those that fail most or were heard last; 340 more are not shown.').waitFor()
    await page.goto(page.url().replace('instances', 'models'))
    await page.getByText('Fleet: 42 of 45 instances current').waitFor()
    await page.getByText('43 more are not shown: 41 current, 2 failed.').waitFor()
    await assertInnocent()
  })

  test('ends the scan of a filter that was left, and of a dry run that was closed', async t => {
    const ended: string[] = []
    const untilEnded = (what: string, signal: AbortSignal) =>
      new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => {
          ended.push(what)
          reject(new RunInferenceError('CLOSED', 'ended'))
        })
      })
    const watched = await open(t, '#/dead-letters?code=A', {
      letters: {
        ...letters,
        groups: (query, signal) =>
          query.code?.[0] === 'A' ? untilEnded('scan', signal) : letters.groups(query, signal),
      },
      replays: { ...replays, plan: (_, signal) => untilEnded('dry run', signal) },
    })
    const { page, assertInnocent } = watched
    await page.locator('[aria-busy]').first().waitFor()
    await page.getByRole('button', { name: 'Show all' }).click()
    await page.getByText(/dead letters of \d+ reasons/).waitFor()
    await eventually('the first scan is ended', () => ended.join() === 'scan')
    await page.getByRole('button', { name: 'Replay these…' }).click()
    await page.getByRole('button', { name: 'Dry run' }).click()
    await giveToken(watched)
    await page.getByText('Reading the dead-letter topics. Nothing is written.').waitFor()
    await page.keyboard.press('Escape')
    await eventually('the dry run is ended', () => ended.join() === 'scan,dry run')
    await assertInnocent()
  })

  test('keeps no dialog of the page before', async t => {
    const { page } = await open(t, '#/models', {})
    await page.getByRole('link', { name: 'Dead letters' }).click()
    await page.getByRole('button', { name: 'Replay these…' }).click()
    await page.getByRole('dialog').waitFor()
    await page.goBack()
    await page.getByRole('heading', { level: 1, name: 'Models' }).waitFor()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })

  test('tells of an action that failed after its dialog was closed', async t => {
    const held = Promise.withResolvers<never>()
    const change = () => held.promise
    const watched = await open(t, '#/models', { models: { ...models, change } })
    const { page } = watched
    await page.getByRole('button', { name: 'Roll back' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click()
    await giveToken(watched)
    await page.getByRole('dialog', { name: 'Token needed' }).waitFor({ state: 'detached' })
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    held.reject(new RunInferenceError('MODEL_UNUSABLE', 'it is gone'))
    await page.locator('.notice[data-kind=bad]').filter({ hasText: 'it is gone' }).waitFor()
  })

  test('says so when a token is none, and asks again', async t => {
    const { page } = await open(t, '#/models', {})
    await page.getByRole('button', { name: 'Roll back' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click()
    await page.getByLabel('Token', { exact: true }).fill(`${TOKEN}…`)
    await page.keyboard.press('Enter')
    await page.getByText('A token has letters, digits and signs of ASCII').waitFor()
    await page.getByLabel('Token', { exact: true }).fill(TOKEN)
    await page.keyboard.press('Enter')
    await page.getByText(/: done: revision \d+ of/).waitFor()
  })
})
