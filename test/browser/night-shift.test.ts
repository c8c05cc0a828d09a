// A night shift by keyboard alone: what failed is found, understood, replayed after a look at the dry run, and seen to be gone.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { noBrowser, openBrowser, openPage } from '../support/browser.ts'
import { NIGHT_TOKEN, type Night, POISON, startNight } from '../support/console-night.ts'
import { tabTo } from '../support/tab-to.ts'

const focusedHeading = (page: Page) => page.evaluate('document.activeElement.matches("main h1")')

describe('a night shift by keyboard', { skip: noBrowser }, () => {
  let night: Night
  let browser: Browser
  before(async () => {
    night = await startNight()
    browser = await openBrowser()
  })
  after(async () => {
    await browser?.close()
    await night?.close()
  })

  test('filter, open a letter, dry run, replay, and the count falls', async () => {
    const { page, assertInnocent, close } = await openPage(browser, night.address)
    const { keyboard } = page
    await page.getByText('live', { exact: true }).waitFor()
    const badge = page.locator('.badge')
    await badge.filter({ hasText: '45 open' }).waitFor()

    // The content is two keys away, whatever is in the navigation.
    await keyboard.press('Tab')
    await keyboard.press('Enter')
    assert.equal(await page.evaluate('document.activeElement.id'), 'main')
    assert.match(page.url(), /\/console\/$/)
    await keyboard.press('Shift+Tab')
    await keyboard.press('Shift+Tab')
    await keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Dead letters' }).waitFor()
    assert.equal(await focusedHeading(page), true, 'a new page begins at its heading')

    await page.getByText('45 dead letters of 2 reasons').waitFor()
    await tabTo(page, /^Filter$/)
    await keyboard.press('Enter')
    await tabTo(page, /^Code/)
    await keyboard.type('SHAPE_MISMATCH')
    await keyboard.press('Enter')
    await page.getByText('40 dead letters of 1 reason, 40 not yet taken by a replay').waitFor()
    assert.match(page.url(), /#\/dead-letters\?code=SHAPE_MISMATCH$/)

    await tabTo(page, new RegExp(`^Newest letter of SHAPE_MISMATCH, ${POISON}`))
    await keyboard.press('Enter')
    await page.getByText('tensor x of row 44 has 63 values, expected 64').waitFor()
    assert.equal(await focusedHeading(page), true)
    await tabTo(page, /^Back$/)
    await keyboard.press('Enter')
    await page.getByText('40 dead letters of 1 reason').waitFor()

    await tabTo(page, new RegExp(`^Replay letters of SHAPE_MISMATCH, ${POISON}`))
    await keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Replay dead letters' }).waitFor()
    assert.equal(await page.evaluate('document.activeElement.name'), 'reason')
    await keyboard.type('the new model takes them')
    await keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Token needed' }).waitFor()
    await keyboard.type('a wrong one')
    await keyboard.press('Enter')
    await page.getByText('The server refused this token').waitFor()
    await keyboard.type(NIGHT_TOKEN)
    await keyboard.press('Enter')
    await page.getByText('Dry run: nothing was written').waitFor()
    assert.deepEqual(
      night.asked.map(([what]) => what),
      ['plan'],
    )
    await page.locator('button:focus', { hasText: 'Replay 40 records' }).waitFor()
    await keyboard.press('Enter')
    await page.getByText('Replay night-1 has begun').waitFor()
    await page.getByText('40 dead letters of 1 reason, 0 not yet taken by a replay').waitFor()
    await badge.filter({ hasText: '5 open' }).waitFor()
    const [, request] = night.asked.at(-1)!
    assert.deepEqual(request, {
      selection: { code: ['SHAPE_MISMATCH'], fingerprint: [POISON], open: true },
      ...{ reason: 'the new model takes them', name: 'night-1', yes: true },
    })
    assert.deepEqual(await page.evaluate('({ ...localStorage })'), {}, 'the token is not kept beyond the tab')
    await assertInnocent()
    await close()
  })

  test('a replay that is done before anybody sees it run is counted too', async () => {
    const { page, close } = await openPage(browser, night.address, { hash: '#/dead-letters' })
    await page.getByText('45 dead letters of 2 reasons, 5 not yet taken by a replay').waitFor()
    await page.locator('.badge').filter({ hasText: '5 open' }).waitFor()
    await page.getByRole('button', { name: 'Replay these…' }).click()
    await page.getByLabel('Reason').fill('quick')
    await page.keyboard.press('Enter')
    await page.getByLabel('Token', { exact: true }).fill(NIGHT_TOKEN)
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Replay 5 records' }).click()
    await page.getByText('45 dead letters of 2 reasons, 0 not yet taken by a replay').waitFor()
    await page.locator('.badge').waitFor({ state: 'hidden' })
    await close()
  })

  test('what is changed after a dry run asks for another one', async () => {
    const { page, close } = await openPage(browser, night.address, { hash: '#/dead-letters' })
    await page.getByRole('button', { name: 'Replay these…' }).click()
    const isOpen = page.getByRole('dialog').getByLabel('Only those not yet taken by a replay')
    await isOpen.uncheck()
    await page.getByRole('button', { name: 'Dry run' }).click()
    await page.getByLabel('Token', { exact: true }).fill(NIGHT_TOKEN)
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Replay 45 records' }).waitFor()
    await isOpen.check()
    await page.getByRole('button', { name: 'Dry run' }).waitFor()
    assert.equal(await page.getByRole('button', { name: /^Replay \d+ records$/ }).count(), 0)
    await close()
  })

  test('a dialog that is closed gives focus back to the button that opened it', async () => {
    const { page, close } = await openPage(browser, night.address, { hash: '#/models' })
    const rollback = page.getByRole('button', { name: 'Roll back' })
    await rollback.press('Enter')
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Escape')
    await page.locator('button:focus', { hasText: 'Roll back…' }).waitFor()
    assert.equal(await page.getByRole('dialog').count(), 0)
    await close()
  })

  test('a model is published as a canary, promoted, and its revisions are told', async () => {
    const { page, close } = await openPage(browser, night.address, { hash: '#/models' })
    await page.getByRole('button', { name: 'Publish a model' }).click()
    await page.getByLabel('Model id').fill('models/v3.onnx')
    await page.getByLabel('It is to').selectOption('canary')
    await page.getByRole('spinbutton', { name: 'Share of the keys' }).fill('25')
    await page.getByLabel('Reason').fill('trained on March')
    await page.keyboard.press('Enter')
    await page.getByLabel('Token', { exact: true }).fill(NIGHT_TOKEN)
    await page.keyboard.press('Enter')
    await page.getByText('models/v3.onnx is published: revision 8').waitFor()
    assert.deepEqual(night.asked.at(-1), [
      'publish',
      {
        ...{ slot: 'classify </script><script>globalThis.executed=1</script>', modelId: 'models/v3.onnx' },
        ...{ mode: 'canary', percent: 25, reason: 'trained on March' },
      },
    ])
    await page.getByRole('button', { name: 'Promote' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Promote' }).click()
    await page.getByText('revision 9').waitFor()
    await close()
  })
})
