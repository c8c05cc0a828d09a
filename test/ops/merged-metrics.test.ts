import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { mergeExpositions } from '../../src/ops/merged-metrics.ts'
import { createMetrics } from '../../src/ops/metrics.ts'

suite('metrics of several workers', () => {
  test('each sample says whose it is, and each metric stands once', () => {
    const text = (count: number) =>
      `# HELP a_total As.\n# TYPE a_total counter\na_total{topic="x"} ${count}\n\n# HELP b Bs.\n# TYPE b gauge\nb ${count}\n`
    const merged = mergeExpositions(
      [
        { worker: '0', text: text(1) },
        { worker: '1', text: text(2) },
        { worker: '2', text: '' },
      ],
      '# HELP c Cs.\n# TYPE c gauge\nc 3\n',
    )
    assert.equal(
      merged,
      `\
# HELP a_total As.
# TYPE a_total counter
a_total{worker="0",topic="x"} 1
a_total{worker="1",topic="x"} 2
# HELP b Bs.
# TYPE b gauge
b{worker="0"} 1
b{worker="1"} 2
# HELP c Cs.
# TYPE c gauge
c 3
`,
    )
  })

  test('what a worker really tells stays whole: histograms, labels with spaces and braces', async () => {
    const metrics = createMetrics()
    metrics.stepOpened('a {step} "x"', 'n {s}', [''])
    metrics.batchSucceeded('a {step} "x"', 0, 3, 100, 1, 1)
    const text = await metrics.text()
    const merged = mergeExpositions([{ worker: '0', text }], '')
    const samples = (of: string) => of.split('\n').filter(line => line !== '' && !line.startsWith('#'))
    assert.equal(samples(merged).length, samples(text).length)
    assert.ok(samples(merged).every(line => line.includes('{worker="0"')))
    assert.ok(merged.includes('num_inferences{worker="0",beam_namespace="n {s}",step="a {step} \\"x\\""} 3'))
  })
})
