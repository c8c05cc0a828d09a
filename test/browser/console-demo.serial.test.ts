// The whole of it, by keyboard, on what `npm run demo -- --keep` leaves open: an operator finds the records that the model cannot take,
// publishes the model that can, replays exactly those, and sees the count fall to zero.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { isInky, readDigitImages } from '../../demo/digit-images.ts'
import { BETTER_MODEL, FLAWED_MODEL } from '../../demo/digit-models.ts'
import { inputRecord, NUMBER_HEADER } from '../../demo/input.ts'
import { lookAround } from '../../demo/look-around.ts'
import type { Digit, DigitPrediction } from '../../schemas/types.ts'
import { createSchemaRegistry } from '../../src/kafka/schema-registry.ts'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { loadTopology } from '../../src/topology-module.ts'
import { noBrowser, openBrowser, openPage } from '../support/browser.ts'
import { ownCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { kriOutput } from '../support/kri-output.ts'
import { tabTo } from '../support/tab-to.ts'

const PARTITIONS = 4
const POISON = 12
const DEADLINE_MS = 60_000

// The demo's topics have names of their own, so they are on brokers of their own.
const cluster = noBrowser === false ? await ownCluster({ brokers: 1, registry: true }) : undefined

describe('the console of the demo', { skip: noBrowser || cluster!.skip, timeout: 3 * DEADLINE_MS }, () => {
  const { brokers, registryUrl } = cluster!
  const env = { KRI_BROKERS: brokers.join(), KRI_REGISTRY_URL: registryUrl! }
  const resources = new AsyncDisposableStack()
  const over = new AbortController()
  let told = ''
  let looking: Promise<void> | undefined
  let browser: Browser

  before(async () => {
    const words = ['topics', 'apply', 'topologies/digits.ts', '--schemas', '--partitions', String(PARTITIONS)]
    const apply = await kriOutput(words, { env })
    assert.equal(apply.code, 0, apply.stderr)
    const tell = (text: string) => {
      told += `${text}\n`
    }
    const common = { logger: silentLogger, clock: systemClock, random: Math.random }
    const port = createKafkaPort({ brokers, clientId: 'demo-test', ...common })
    resources.defer(() => port.close())
    looking = lookAround({
      flags: { records: 0, partitions: PARTITIONS, json: false, keep: true, help: false },
      screen: { line: tell, step: () => ({ progress() {}, done: tell }), clear() {} },
      signal: over.signal,
      ...{ resources, cluster: cluster!, port, logger: silentLogger },
      topology: await loadTopology('topologies/digits.ts'),
      images: await readDigitImages(),
      registry: createSchemaRegistry({ url: registryUrl! }),
    })
    browser = await openBrowser()
    const failed = async () => {
      const ends = await port.admin.offsets('digits.classify.failed-inference')
      return ends.reduce((sum, { end }) => sum + end, 0) === POISON
    }
    await Promise.race([eventually('all of the poison has failed', failed, DEADLINE_MS), looking])
  })
  after(async () => {
    over.abort()
    await browser?.close()
    await looking
    await resources.disposeAsync()
    await cluster!.stop()
  })

  test('poison is found, the model is replaced, exactly the poison is replayed, and nothing is open any more', async () => {
    const images = await readDigitImages()
    const [, address] = /Console +(\S+)/.exec(told)!
    const [, token] = /Token +(\S+)/.exec(told)!
    const { page, assertInnocent, close } = await openPage(browser, address!)
    const { keyboard } = page
    await page
      .locator('.badge')
      .filter({ hasText: `${POISON} open` })
      .waitFor()

    await enter(page, /^Dead letters/)
    await page.getByText(`${POISON} dead letters of 1 reason, ${POISON} not yet taken by a replay`).waitFor()
    await enter(page, /^Newest letter of INFERENCE_FAILED/)
    await page.getByText('Value, decoded').waitFor()
    const digit = JSON.parse((await page.getByLabel('Value, decoded').textContent())!) as Digit
    assert.ok(isInky({ digit }), `${digit.id} fails for its ink`)
    await page.getByText('out of data bounds').first().waitFor()

    await enter(page, /^Models/)
    await page.getByText(FLAWED_MODEL).first().waitFor()
    await enter(page, /^Publish a model/)
    await page.getByRole('dialog').waitFor()
    // What serves now stands there.
    await keyboard.press('Control+a')
    await keyboard.type(BETTER_MODEL)
    await tabTo(page, /^Reason/)
    await keyboard.type('takes all the ink')
    await keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Token needed' }).waitFor()
    await keyboard.type(token!)
    await keyboard.press('Enter')
    await page.getByText(`${BETTER_MODEL} is published: revision 2`).waitFor()
    await page.getByText('Fleet: 1 of 1 instance current').waitFor()

    await enter(page, /^Dead letters/)
    await enter(page, /^Replay letters of INFERENCE_FAILED/)
    await page.getByRole('dialog', { name: 'Replay dead letters' }).waitFor()
    await keyboard.type('v2 takes them')
    await keyboard.press('Enter')
    await page.getByText('Dry run: nothing was written').waitFor()
    await page.locator('button:focus', { hasText: `Replay ${POISON} records` }).waitFor()
    await keyboard.press('Enter')
    await page.getByText('has begun').waitFor()
    await page.getByText(`${POISON} dead letters of 1 reason, 0 not yet taken by a replay`).waitFor()
    await page.locator('.badge').waitFor({ state: 'hidden' })
    await page.locator('.replays').filter({ hasText: 'finished' }).waitFor()
    await assertInnocent()
    await close()

    const numbers = new Set<string>()
    const models = { inky: new Set<string>(), others: new Set<string>() }
    const records = await everything()
    const predictions = records.filter(({ topic }) => topic === 'digits.predictions')
    for (const { headers, value } of predictions) {
      const number = String(headers.find(([name]) => name === NUMBER_HEADER)?.[1])
      numbers.add(number)
      models[isInky(inputRecord(images, Number(number)).image) ? 'inky' : 'others'].add(value.modelId)
    }
    assert.equal(numbers.size, predictions.length, 'no record has two predictions')
    const inky = [...numbers].filter(number => isInky(inputRecord(images, Number(number)).image))
    assert.equal(inky.length, POISON, 'all of the poison has come through')
    assert.deepEqual(models, { inky: new Set([BETTER_MODEL]), others: new Set([FLAWED_MODEL, BETTER_MODEL]) })
    assert.equal(records.length - predictions.length, POISON, 'nothing has failed again')
  })

  /** Outputs and dead letters. */
  async function everything(): Promise<
    { topic: string; value: DigitPrediction; headers: readonly [string, unknown][] }[]
  > {
    const { code, stdout, stderr } = await kriOutput(['consume', 'topologies/digits.ts', '--json'], { env })
    assert.equal(code, 0, stderr)
    return stdout
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
  }
})

async function enter(page: Page, name: RegExp): Promise<void> {
  await tabTo(page, name)
  await page.keyboard.press('Enter')
}
