/** Somebody who has a keyboard and no mouse. */
import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'

const MOST_TABS = 80

/** Goes on with Tab until what has focus is called so. */
export async function tabTo(page: Page, name: RegExp): Promise<void> {
  const passed: string[] = []
  for (let i = 0; i < MOST_TABS; i++) {
    await page.keyboard.press('Tab')
    const focused = (await page.evaluate(`(() => {
      const at = document.activeElement
      return at.getAttribute('aria-label') ?? (at.labels?.[0] ?? at).textContent
    })()`)) as string
    if (name.test(focused)) return
    passed.push(focused.slice(0, 30))
  }
  assert.fail(`nothing called ${name} can be reached with Tab; passed ${passed.join(', ')}`)
}
