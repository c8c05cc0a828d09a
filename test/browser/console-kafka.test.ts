// The whole of it, on real Kafka with the real application: an operator finds the records that the model cannot take, publishes
// the model that can, replays exactly those, and sees the count fall to zero.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { noBrowser, openBrowser, openPage } from '../support/browser.ts'
import { testCluster } from '../support/cluster.ts'
import { kriOnCluster } from '../support/kri-on-cluster.ts'
import type { KriProcess } from '../support/kri-process.ts'
import type { Label } from '../support/poisoned-topology.ts'
import { writeTableModel } from '../support/table-models.ts'

const MODULE = 'test/support/poisoned-topology.ts'
const TOKEN = 'browser-test-token'
const RECORDS = 60
/** Brighter than the table of the first model is long. */
const isPoison = (i: number) => i % 20 === 7

const cluster = await testCluster()

describe('the console of a running application', { skip: cluster.skip || noBrowser, timeout: 120_000 }, () => {
  const name = `${cluster.prefix}night`
  const folder = mkdtempSync(join(tmpdir(), 'kri-console-'))
  const [short, whole] = [writeTableModel(folder, 'short', 16), writeTableModel(folder, 'whole', 17)]
  const flags = ['--param', `name=${name}`, '--param', `model=${short}`]
  const processes = kriOnCluster('console-test', cluster.brokers)
  let browser: Browser
  let instance: KriProcess
  after(async () => {
    await browser?.close()
    rmSync(folder, { recursive: true })
  })

  before(async () => {
    const input = join(folder, 'pictures.ndjson')
    const picture = (i: number) => ({ pixels: new Array(64).fill(isPoison(i) ? 16 : i % 16) })
    const lines = Array.from({ length: RECORDS }, (_, i) => JSON.stringify({ id: `picture-${i}`, ...picture(i) }))
    writeFileSync(input, `${lines.join('\n')}\n`)
    const apply = processes.kri('topics', 'apply', MODULE, ...flags, '--partitions', '2')
    assert.equal(await apply.ended, 0, apply.log())
    const produce = processes.kri('produce', MODULE, ...flags, '--file', input, '--key-field', 'id')
    assert.equal(await produce.ended, 0, produce.log())
    instance = processes.kri('run', MODULE, ...flags, '--http-port', '0', '--console-token', TOKEN)
    browser = await openBrowser()
    await instance.whenReady(60_000)
  })

  test('poison is found, the model is replaced, exactly the poison is replayed, and nothing is open any more', async () => {
    const { page, assertInnocent, close } = await openPage(
      browser,
      `${/"url":"([^"]+)"/.exec(instance.log())![1]}/console/`,
    )
    const link = (label: string) => page.getByRole('navigation').getByRole('link', { name: label })
    await page.locator('.badge').filter({ hasText: '3 open' }).waitFor()

    await link('Dead letters').click()
    await page.getByText('3 dead letters of 1 reason, 3 not yet taken by a replay').waitFor()
    await page.getByRole('button', { name: 'Newest letter of' }).click()
    await page.getByText('Value, decoded').waitFor()
    const decoded = JSON.parse((await page.getByLabel('Value, decoded').textContent())!)
    assert.equal(decoded.pixels[0], 16)
    await page.getByText('out of data bounds').first().waitFor()

    await link('Models').click()
    await page.getByRole('button', { name: 'Publish a model' }).click()
    await page.getByLabel('Model id').fill(whole)
    await page.getByLabel('Reason').fill('its table has an entry for 16')
    await page.keyboard.press('Enter')
    await page.getByLabel('Token', { exact: true }).fill(TOKEN)
    await page.keyboard.press('Enter')
    await page.getByText(`${whole} is published: revision 1`).waitFor()
    await page.getByText('Fleet: 1 of 1 instance current').waitFor()

    await link('Dead letters').click()
    await page.getByRole('button', { name: 'Replay letters of' }).click()
    await page.getByLabel('Reason').fill('the new model takes them')
    await page.keyboard.press('Enter')
    await page.getByText('Dry run: nothing was written').waitFor()
    await page.getByRole('button', { name: 'Replay 3 records' }).click()
    await page.getByText('has begun').waitFor()
    await page.getByText('3 dead letters of 1 reason, 0 not yet taken by a replay').waitFor()
    await page.locator('.badge').waitFor({ state: 'hidden' })
    await page.locator('.replays').filter({ hasText: 'finished' }).waitFor()
    await assertInnocent()
    await close()

    const consume = processes.kri('consume', MODULE, ...flags, '--outputs', '--json')
    assert.equal(await consume.ended, 0, consume.log())
    const labels: { key: string; value: Label }[] = consume
      .output()
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
    assert.deepEqual(
      labels.map(({ key }) => key).toSorted(),
      Array.from({ length: RECORDS }, (_, i) => `picture-${i}`).toSorted(),
      'each picture has one label',
    )
    for (const { key, value } of labels) {
      const i = Number(key.replace('picture-', ''))
      assert.deepEqual(value, isPoison(i) ? { label: 6, modelId: whole } : { label: (i % 16) % 10, modelId: short })
    }
  })
})
