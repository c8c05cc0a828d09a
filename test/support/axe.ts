/** axe-core on a page as it is shown now. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface Violation {
  readonly id: string
  readonly impact: string
  readonly help: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[]
}

/** What is serious or critical, one line each. */
export async function seriousViolations(page: Page): Promise<readonly string[]> {
  // Given by the debugger, which no content security policy holds back.
  if (!(await page.evaluate('"axe" in globalThis'))) await page.evaluate(source)
  // The same violations, without a description of each element that passes.
  const run = 'axe.run({ resultTypes: ["violations"] })'
  const { violations } = (await page.evaluate(run)) as { readonly violations: readonly Violation[] }
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, help, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${help}: ${html}: ${failureSummary}`),
    )
}
