/**
 * Pictures of the console for the documentation, written to docs/screenshots/. They are of a console that runs:
 *
 *   npm run demo -- --keep                                                     # prints the address and the token
 *   node --conditions=kri-source scripts/screenshots.ts ADDRESS TOKEN
 *
 * Nothing is changed there: the replay of the picture is a dry run.
 */
import { mkdirSync, statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { chromium, type Page } from 'playwright-core'

const FOLDER = 'docs/screenshots'
const MAX_BYTES = 150_000
/** Charts have something to show by then. */
const CHART_MS = 60_000
const LIGHT = { viewport: { width: 1280, height: 800 } } as const
const PHONE = { viewport: { width: 390, height: 844 }, colorScheme: 'dark' } as const

const [address, token] = process.argv.slice(2)
if (address === undefined || token === undefined) {
  console.error('usage: node --conditions=kri-source scripts/screenshots.ts ADDRESS TOKEN')
  process.exit(2)
}
mkdirSync(FOLDER, { recursive: true })
const executablePath = process.env.KRI_TEST_CHROMIUM ?? '/usr/bin/chromium'
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })

async function open(options: typeof LIGHT | typeof PHONE): Promise<Page> {
  const page = await (await browser.newContext(options)).newPage()
  await page.goto(address!)
  await page.getByText('live', { exact: true }).waitFor()
  return page
}

async function show(page: Page, hash: string, settled: string): Promise<void> {
  await page.goto(`${address}${hash}`)
  await page.locator(settled).first().waitFor()
  await page.locator('[aria-busy]').first().waitFor({ state: 'detached' })
}

async function take(page: Page, name: string): Promise<void> {
  const path = `${FOLDER}/${name}.png`
  await page.screenshot({ path, animations: 'disabled' })
  const { size } = statSync(path)
  if (size > MAX_BYTES) throw new Error(`${path} has ${size} bytes, more than ${MAX_BYTES}`)
  console.log(`${path}  ${size} bytes`)
}

try {
  const [light, phone] = [await open(LIGHT), await open(PHONE)]
  await delay(CHART_MS)
  await show(light, '#/overview', '.chart canvas')
  await take(light, 'overview')
  await show(light, '#/graph', '.node')
  await take(light, 'graph')
  await show(light, '#/models', '.slots .card')
  await take(light, 'models')
  await show(light, '#/instances', 'tbody tr')
  await take(light, 'instances')
  await show(light, '#/dead-letters', '.place')
  await take(light, 'dead-letters')
  await show(phone, '#/dead-letters', '.place')
  await take(phone, 'dead-letters-phone')
  await light.getByRole('button', { name: 'Replay letters of' }).first().click()
  await light.getByLabel('Reason').fill('the new model takes them')
  await light.keyboard.press('Enter')
  await light.getByLabel('Token', { exact: true }).fill(token)
  await light.keyboard.press('Enter')
  await light.getByText('Dry run: nothing was written').waitFor()
  await take(light, 'replay')
  await light.keyboard.press('Escape')
  await light.getByRole('button', { name: 'Newest letter of' }).first().click()
  await light.getByRole('heading', { name: 'Record' }).waitFor()
  await take(light, 'letter')
} finally {
  await browser.close()
}
