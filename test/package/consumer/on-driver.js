// Runs the topology on the package's test driver and prints how many labels are as expected.
import { readFileSync } from 'node:fs'
import { loadTopology } from 'kafka-run-inference'
import { createTopologyDriver } from 'kafka-run-inference/testing'

const lines = file => readFileSync(file, 'utf8').trim().split('\n').map(JSON.parse)
const driver = await createTopologyDriver(await loadTopology('digits.js'))
try {
  const images = lines('data/digits-test.ndjson')
  await driver.pipe(
    'images',
    images.map(({ id, pixels }) => ({ key: id, value: { id, pixels } })),
  )
  await driver.advance(1_000)
  const labels = new Map((await driver.read('predictions')).map(({ value }) => [value.id, value.label]))
  const expected = lines('data/digits-mlp-v1.expected.ndjson')
  process.stdout.write(`${expected.filter(({ id, label }) => labels.get(id) === label).length} of ${images.length}\n`)
} finally {
  await driver.stop()
}
