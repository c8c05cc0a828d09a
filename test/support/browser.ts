/**
 * Debian's Chromium for tests of the console's page, or the one that KRI_TEST_CHROMIUM names. What a page must never do, whatever
 * it shows, is watched from its first request on.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const executablePath = process.env.KRI_TEST_CHROMIUM ?? PLACES.find(path => existsSync(path))

/** Why there is none, for `skip`. */
export const noBrowser: string | false =
  executablePath === undefined &&
  `no browser for the console's page: there is none of ${PLACES.join(', ')} (package chromium), and KRI_TEST_CHROMIUM names none`

/** One process; to be closed. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] })
}

export interface WatchedPage {
  readonly page: Page
  /** Throws when the page asked another origin, broke its content security policy, ran what a record brought, or failed. */
  assertInnocent(): Promise<void>
  close(): Promise<void>
}

/** `address`: of the console. Code of a record shows itself by a dialog, or by setting `executed`. */
export async function openPage(
  browser: Browser,
  address: string,
  options: BrowserContextOptions & { readonly hash?: string } = {},
): Promise<WatchedPage> {
  const { hash = '', ...contextOptions } = options
  const context = await browser.newContext({ reducedMotion: 'reduce', ...contextOptions })
  const wrong: string[] = []
  const { origin } = new URL(address)
  // As text: it runs in the browser. An error there is told like any other.
  await context.addInitScript(
    "addEventListener('securitypolicyviolation', e => { throw new Error('policy: ' + e.violatedDirective + ' ' + e.blockedURI) })",
  )
  const page = await context.newPage()
  page.on('request', request => {
    if (!request.url().startsWith(`${origin}/`)) wrong.push(`request of ${request.url()}`)
  })
  page.on('pageerror', error => wrong.push(`error: ${error.stack ?? error.message}`))
  page.on('console', message => {
    // A status of 4xx is what some tests are about.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) wrong.push(message.text())
  })
  page.on('dialog', dialog => {
    wrong.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  await page.goto(`${address}${hash}`)
  return {
    page,
    async assertInnocent() {
      assert.equal(await page.evaluate('"executed" in globalThis'), false, 'something of a record was executed')
      assert.deepEqual(wrong, [])
    },
    close: () => context.close(),
  }
}
