// The shipped topologies that run two models, by `kri` on a real broker and a real registry.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { DigitPrediction } from '../../schemas/types.ts'
import type { ShownRecord } from '../../src/cli/consume-record.ts'
import { root } from '../repo/source-files.ts'
import { testCluster } from '../support/cluster.ts'
import { kriOutput } from '../support/kri-output.ts'

const DIGITS = 60
const cluster = await testCluster()

describe('two models in one topology', { skip: cluster.skip, timeout: 180_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kri-cascade-'))
  after(() => rmSync(folder, { recursive: true }))
  const env = { KRI_BROKERS: cluster.brokers.join(','), KRI_REGISTRY_URL: cluster.registryUrl }
  const digits = readFileSync(join(root, 'data/digits-test.ndjson'), 'utf8').split('\n').slice(0, DIGITS)
  const bad = JSON.stringify({ id: 'short', label: 1, pixels: [1, 2, 3] })

  async function kri(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await kriOutput(args, { cwd: root, env })
    assert.equal(code, 0, stderr)
    return stdout
  }

  /** Runs a shipped topology, under names of its own, over the digits and a bad one; gives what it predicted and refused. */
  async function predicted(file: string, ...parameters: readonly string[]) {
    const name = `${cluster.prefix}${file}${parameters.length}`
    const module = join(folder, `${name}.ts`)
    const source = readFileSync(join(root, `topologies/${file}.ts`), 'utf8')
      .replaceAll("'kafka-run-inference'", JSON.stringify(pathToFileURL(join(root, 'src/index.ts')).href))
      .replaceAll("'digits.", `'${name}.`)
      .replaceAll(`topology('${file}'`, `topology('${name}'`)
    writeFileSync(module, source)
    const input = join(folder, `${name}.ndjson`)
    writeFileSync(input, [...digits, bad].join('\n'))
    const run = [module, ...parameters]
    await kri('topics', 'apply', ...run, '--schemas', '--partitions', '2')
    await kri('produce', ...run, '--file', input, '--key-field', 'id')
    await kri('run', ...run, '--until-end', '--http-port', 'off')
    const lines = (await kri('consume', ...run, '--json')).split('\n').filter(line => line !== '')
    const records = lines.map(line => JSON.parse(line) as ShownRecord)
    return {
      predictions: records
        .filter(({ topic }) => topic === `${name}.${file}`)
        .map(({ value }) => value as DigitPrediction),
      letters: records
        .filter(({ topic }) => topic.includes('.failed-'))
        .map(({ topic }) => topic.slice(name.length + 1)),
    }
  }
  const expected = new Map(
    ['v1', 'v2'].map(version => {
      const lines = readFileSync(join(root, `data/digits-mlp-${version}.expected.ndjson`), 'utf8')
        .trim()
        .split('\n')
      return [version, new Map(lines.map(line => [JSON.parse(line).id as string, JSON.parse(line).label as number]))]
    }),
  )
  const modelOf = ({ modelId }: DigitPrediction) => /mlp-(v[12])\.onnx/.exec(modelId)![1]!
  const assertRight = (predictions: readonly DigitPrediction[]) => {
    for (const prediction of predictions)
      assert.equal(prediction.label, expected.get(modelOf(prediction))!.get(prediction.id), prediction.id)
  }

  it('the cascade answers every digit once, by one of its models; the bad one is a dead letter of its first step', async () => {
    const { predictions, letters } = await predicted('cascade')
    assertRight(predictions)
    assert.equal(new Set(predictions.map(({ id }) => id)).size, DIGITS)
    assert.equal(predictions.length, DIGITS)
    assert.deepEqual(new Set(predictions.map(modelOf)), new Set(['v1', 'v2']))
    assert.deepEqual(letters, ['small.failed-inference'])
  })

  it('the A/B test asks both models, and says of each dead letter which one it was', async () => {
    const { predictions, letters } = await predicted('ab-test')
    assertRight(predictions)
    assert.equal(predictions.length, 2 * DIGITS)
    assert.equal(predictions.filter(prediction => modelOf(prediction) === 'v1').length, DIGITS)
    assert.deepEqual(letters.toSorted(), ['a.failed-inference', 'b.failed-inference'])
  })

  it('the A/B test splits by key when it is asked to', async () => {
    const { predictions, letters } = await predicted('ab-test', '--param=split=50')
    assertRight(predictions)
    assert.equal(predictions.length, DIGITS)
    const share = predictions.filter(prediction => modelOf(prediction) === 'v2').length / DIGITS
    assert.ok(share > 0.25 && share < 0.75, `${share}`)
    assert.equal(letters.length, 1)
  })
})
