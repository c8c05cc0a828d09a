// Everybody can use the console: axe-core finds nothing serious, light and dark, and 390 px are wide enough.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { seriousViolations } from '../support/axe.ts'
import { noBrowser, openBrowser, openPage } from '../support/browser.ts'
import { NIGHT_TOKEN, type Night, startNight } from '../support/console-night.ts'

/** Of each page what is shown last. */
const PAGES = [
  ['#/overview', 'Why batches were closed'],
  ['#/graph', 'digits.unsure'],
  ['#/models', 'Fleet: 1 of 2'],
  ['#/dead-letters', 'digits.classify.failed-inference/0/44'],
  ['#/instances', 'digits.images/3'],
  ['#/dead-letters/letter?place=digits.classify.failed-inference/0/44', 'traceparent'],
] as const

describe('access to the console', { skip: noBrowser }, () => {
  let night: Night
  let browser: Browser
  before(async () => {
    // What is new is drawn less often than elsewhere: axe-core looks at a page for longer than that.
    night = await startNight({ everyMs: 500 })
    browser = await openBrowser()
  })
  after(async () => {
    await browser?.close()
    await night?.close()
  })
  const show = async (page: Page, hash: string, text: string) => {
    await page.goto(`${night.address}${hash}`)
    await page.locator('main').filter({ hasText: text }).waitFor()
    await page.locator('.problems').filter({ hasText: 'does not answer' }).waitFor()
    // All that unfolds is looked at too.
    await page.evaluate('for (const details of document.querySelectorAll("details")) details.open = true')
  }

  for (const colorScheme of ['light', 'dark'] as const)
    test(`axe-core finds nothing serious on any page, ${colorScheme}`, async () => {
      const { page, assertInnocent, close } = await openPage(browser, night.address, { colorScheme })
      for (const [hash, text] of PAGES) {
        await show(page, hash, text)
        assert.deepEqual(await seriousViolations(page), [], hash)
      }
      await assertInnocent()
      await close()
    })

  test('nor in any dialog', async () => {
    const { page, assertInnocent, close } = await openPage(browser, night.address, { colorScheme: 'dark' })
    const look = async (name: string) => {
      await page.getByRole('dialog').last().waitFor()
      assert.deepEqual(await seriousViolations(page), [], name)
    }
    await show(page, '#/models', 'Fleet: 1 of 2')
    for (const name of ['Publish a model', 'Promote', 'Abort', 'Roll back']) {
      await page.getByRole('button', { name }).click()
      await look(name)
      await page.keyboard.press('Escape')
    }
    await show(page, '#/dead-letters', 'digits.classify.failed-inference/0/44')
    await page.getByRole('button', { name: 'Cancel replay stuck-night' }).click()
    await look('cancel')
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Replay these…' }).click()
    await look('replay')
    await page.getByLabel('Reason').fill('nobody is there')
    await page.getByRole('button', { name: 'Dry run' }).click()
    await look('token')
    await page.getByLabel('Token', { exact: true }).fill(NIGHT_TOKEN)
    await page.keyboard.press('Enter')
    await page.getByText('It cannot be run now').waitFor()
    await look('refusal')
    await page.getByLabel('Reason').fill('')
    await page.getByRole('button', { name: 'Dry run' }).click()
    await page.getByRole('button', { name: 'Replay 45 records' }).waitFor()
    await look('dry run')
    await assertInnocent()
    await close()
  })

  test('390 px are wide enough for every page and the largest dialog', async () => {
    const { page, close } = await openPage(browser, night.address, { viewport: { width: 390, height: 844 } })
    const width = () => page.evaluate('document.scrollingElement.scrollWidth')
    for (const [hash, text] of PAGES) {
      await show(page, hash, text)
      assert.ok(((await width()) as number) <= 390, `${hash} is ${await width()} px wide`)
    }
    await show(page, '#/models', 'Fleet: 1 of 2')
    await page.getByRole('button', { name: 'Publish a model' }).click()
    const dialog = await page.getByRole('dialog').boundingBox()
    assert.ok(dialog!.x >= 0 && dialog!.x + dialog!.width <= 390)
    assert.ok(((await width()) as number) <= 390)
    await close()
  })
})
