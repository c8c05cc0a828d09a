// Every page of the console shows what it is told, also what is hostile, and shows it as text.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { noBrowser, openBrowser, openPage, type WatchedPage } from '../support/browser.ts'
import { type Night, startNight } from '../support/console-night.ts'
import { ATTRIBUTE, IMG, LINK, SCRIPT } from '../support/hostile-texts.ts'

/** Of each page: its heading, and texts that it must show as they are. */
const PAGES = [
  { hash: '#/overview', heading: 'Overview', texts: ['records/s', IMG, SCRIPT, 'p99 9.00 ms'] },
  { hash: '#/graph', heading: 'Graph', texts: ['digits.images', `map ${IMG}`, LINK, SCRIPT, ATTRIBUTE] },
  { hash: '#/models', heading: 'Models', texts: [IMG, SCRIPT, LINK, ATTRIBUTE, 'Fleet: 1 of 2 instances current'] },
  { hash: '#/dead-letters', heading: 'Dead letters', texts: ['45 dead letters of 2 reasons', IMG, SCRIPT, ATTRIBUTE] },
  { hash: '#/instances', heading: 'Instances', texts: ['digits.images/3', '12,345', IMG, SCRIPT, ATTRIBUTE] },
  {
    hash: '#/dead-letters/letter?place=digits.classify.failed-inference/0/4',
    heading: 'Dead letter',
    texts: [IMG, LINK, SCRIPT, ATTRIBUTE, '00000000  3c 69 6d 67'],
  },
  {
    hash: '#/dead-letters/letter?place=digits.classify.failed-inference/0/44',
    heading: 'Dead letter',
    texts: ['tensor x of row 44 has 63 values, expected 64', '"note":'],
  },
]

describe('pages of the console', { skip: noBrowser }, () => {
  let night: Night
  let browser: Browser
  /** Goes from page to page, as people do. */
  let watched: WatchedPage
  before(async () => {
    night = await startNight()
    browser = await openBrowser()
    watched = await openPage(browser, night.address)
  })
  after(async () => {
    await browser?.close()
    await night?.close()
  })

  for (const { hash, heading, texts } of PAGES)
    test(`${hash}: shows what it is told as text; nothing of it runs, nothing leaves the origin`, async () => {
      const { page } = watched
      await page.goto(`${night.address}${hash}`)
      await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor()
      await page.getByText('live', { exact: true }).waitFor()
      for (const text of texts) await page.locator('body').filter({ hasText: text }).waitFor()
      const links = await page.evaluate(
        '[...document.querySelectorAll("[href]:not(link)")].map(a => a.getAttribute("href"))',
      )
      for (const link of links as string[]) assert.match(link, /^#\/[a-z/-]*$/)
      assert.equal(await page.locator('img, main script, iframe, object, embed').count(), 0)
      await watched.assertInnocent()
    })

  test('a snapshot leaves focus where it is', async () => {
    const { page } = watched
    await page.goto(`${night.address}#/models`)
    const publish = page.getByRole('button', { name: 'Publish a model' })
    await publish.focus()
    const state = page.locator('.states .note').first()
    const before = await state.locator('time').textContent()
    await page.locator('.states .note').filter({ hasNotText: before! }).waitFor()
    assert.equal(await publish.evaluate(element => element === element.ownerDocument.activeElement), true)
    await watched.assertInnocent()
  })

  test('charts are drawn, and say in words what they show', async () => {
    const { page } = watched
    await page.goto(`${night.address}#/overview`)
    const chart = page.getByRole('img', { name: /^Records a second, the last minutes\. in: now [\d,]+, between/ })
    await chart.locator('canvas').waitFor()
    assert.equal(await page.locator('.chart canvas').count(), 4)
    await watched.assertInnocent()
  })

  test('without a token nothing can be changed, and the page offers nothing', async () => {
    const readOnly = await startNight({ canChange: false })
    try {
      const { page, assertInnocent, close } = await openPage(browser, readOnly.address, { hash: '#/models' })
      await page.getByText('read-only: the console was started without a token').waitFor()
      await page.getByText('Fleet: 1 of 2').waitFor()
      assert.equal(await page.getByRole('button', { name: /Publish|Roll back|Promote|Abort/ }).count(), 0)
      await page.goto(`${readOnly.address}#/dead-letters`)
      await page.getByText('45 dead letters').waitFor()
      await page.getByText('stuck-night').waitFor()
      assert.equal(await page.getByRole('button', { name: /Replay|Cancel/ }).count(), 0)
      await assertInnocent()
      await close()
    } finally {
      await readOnly.close()
    }
  })

  test('what only instances know is not known of the application, and is no 0', async () => {
    const application = await startNight({ scope: 'application' })
    try {
      const { page, assertInnocent, close } = await openPage(browser, application.address)
      await page.getByText('Latency and batches are known to each instance').waitFor()
      await page.locator('.tile').filter({ hasText: 'In the model' }).filter({ hasText: 'not known' }).waitFor()
      assert.equal(await page.locator('.chart').count(), 3)
      await assertInnocent()
      await close()
    } finally {
      await application.close()
    }
  })

  test('what some instances of an application tell is shown, with how many they are', async () => {
    const application = await startNight({ scope: 'application', told: true })
    try {
      const { page, assertInnocent, close } = await openPage(browser, application.address)
      await page.getByText('Latency and batches are what 1 of 2 instances told last').waitFor()
      await page.locator('.tile').filter({ hasText: 'In the model' }).filter({ hasText: 'p99 6.00 ms' }).waitFor()
      await page.getByRole('heading', { name: 'Rows a batch, as told last' }).waitFor()
      await page.getByRole('img', { name: /^Latency, the last minutes\. queue p50: now 2\.00 ms/ }).waitFor()
      await assertInnocent()
      await close()
    } finally {
      await application.close()
    }
  })

  test('rates that are not known yet, in the first snapshot of a connection, are no 0', async () => {
    const night = await startNight({ everyMs: 60_000 })
    try {
      const { page, close } = await openPage(browser, night.address)
      await page.locator('.tile').filter({ hasText: 'Lag' }).filter({ hasText: 'records' }).first().waitFor()
      for (const name of ['In', 'Out', 'Failed']) {
        const text = await page.locator(`.tile[data-id="${name}"]`).textContent()
        assert.match(text!, /not known/)
        assert.doesNotMatch(text!, /\d|records/)
      }
      await close()
    } finally {
      await night.close()
    }
  })

  test('a connection that is lost is said, and comes back by itself', async () => {
    const first = await startNight()
    const { page, close } = await openPage(browser, first.address)
    await page.getByText('live', { exact: true }).waitFor()
    const port = Number(new URL(first.address).port)
    await first.close()
    await page.getByText('connection lost, trying again').waitFor()
    const second = await startNight({ port })
    await page.getByText('live', { exact: true }).waitFor()
    await second.close()
    await close()
  })
})
