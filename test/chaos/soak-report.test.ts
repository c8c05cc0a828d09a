// What a soak calls flat, and what it does not.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { driftOf, type Sampled } from '../../chaos/drift.ts'
import { liveHeaps } from '../../chaos/heap-trace.ts'
import { type SoakResult, soakReport } from '../../chaos/soak-report.ts'

const MB = 2 ** 20
/** Thirty minutes, a sample every five seconds. */
const series = (valueAt: (seconds: number) => number): readonly Sampled[] =>
  Array.from({ length: 360 }, (_, i) => ({ at: (i + 1) * 5, value: valueAt((i + 1) * 5) }))
/** Up and down, without going anywhere. */
const wave = (seconds: number) => Math.sin(seconds / 7)

/** Once a minute. */
const minutely = (valueAt: (seconds: number) => number): readonly Sampled[] =>
  Array.from({ length: 30 }, (_, i) => ({ at: (i + 1) * 60, value: valueAt((i + 1) * 60) }))

const good = (): SoakResult => ({
  ...{ minutes: 30, guarantee: 'at_least_once', capacity: 1_000, rate: 500, unexpectedExits: 0 },
  lag: series(at => 40 + 30 * wave(at)),
  resident: [series(at => (200 + 10 * wave(at)) * MB), series(at => (210 - 10 * wave(at)) * MB)],
  collected: [minutely(at => (170 + wave(at)) * MB), minutely(at => (180 - wave(at)) * MB)],
  descriptors: [series(() => 40), series(at => 40 + Math.round(wave(at)))],
  heaps: [
    [minutely(at => 30 + wave(at)), minutely(at => 8 + wave(at))],
    [minutely(at => 31 + wave(at)), minutely(at => 8 + wave(at))],
  ],
})

describe('a soak', () => {
  it('is flat when all goes up and down and nowhere', () => {
    const { problems, json } = soakReport(good())
    assert.deepEqual(problems, [])
    assert.equal(json.isFlat, true)
  })

  it('looks away while it warms up', () => {
    const warming = (at: number) => (at < 400 ? at / 4 : 100)
    const { problems } = soakReport({
      ...good(),
      heaps: [good().heaps[0]!.map(() => minutely(warming)), good().heaps[1]!],
    })
    assert.deepEqual(problems, [])
  })

  const leaks: Record<string, [Partial<SoakResult>, RegExp]> = {
    'a heap that grows by 10 MB': [
      { heaps: [[minutely(at => 30 + at / 180), good().heaps[0]![1]!], good().heaps[1]!] },
      /instance 1: a heap/,
    ],
    'the heap of another thread that grows': [
      { heaps: [[good().heaps[0]![0]!, minutely(at => 8 + at / 180)], good().heaps[1]!] },
      /instance 1: a heap/,
    ],
    'memory behind collections that grows by 60 MB': [
      { collected: [good().collected[0]!, minutely(at => (180 + at / 30) * MB)] },
      /instance 2: collectedMb/,
    ],
    'a thread that does not collect': [
      { heaps: [[good().heaps[0]![0]!, good().heaps[0]![1]!.slice(0, 20)], good().heaps[1]!] },
      /instance 1: 2 threads .* least of them 6 times; expected at least 2, 15 times/,
    ],
    'a lane whose collections are not told': [
      { heaps: [[good().heaps[0]![0]!], good().heaps[1]!] },
      /instance 1: 1 threads/,
    ],
    'a descriptor lost every three minutes': [
      { descriptors: [series(at => 40 + Math.floor(at / 180)), good().descriptors[1]!] },
      /instance 1: descriptors/,
    ],
    'a lag that grows by one record a second': [{ lag: series(at => 40 + at) }, /the lag/],
    'an instance that hardly ever answered': [
      {
        resident: [good().resident[0]!, good().resident[1]!.slice(-100)],
        descriptors: [good().descriptors[0]!, good().descriptors[1]!.slice(-100)],
      },
      /instance 2: only 100 of 181 looks/,
    ],
    'an instance that never did': [
      {
        resident: [[], good().resident[1]!],
        descriptors: [[], good().descriptors[1]!],
      },
      /instance 1: only 0 of/,
    ],
    'an instance that does not say how much memory it has': [
      { resident: [series(() => 0), good().resident[1]!] },
      /instance 1: .* with what was asked for/,
    ],
    'an instance that ended': [{ unexpectedExits: 1 }, /ended by themselves/],
  }
  for (const [what, [change, told]] of Object.entries(leaks))
    it(`is not flat with ${what}`, () => {
      const { problems } = soakReport({ ...good(), ...change })
      assert.equal(problems.length, 1)
      assert.match(problems[0]!, told)
    })

  it('is flat when memory grows with garbage, and nothing does behind collections', () => {
    const { problems, json } = soakReport({
      ...good(),
      resident: [series(at => (200 + at / 30) * MB), good().resident[1]!],
    })
    assert.deepEqual(problems, [])
    assert.ok(json.instances[0]!.residentMb.growth > 25, 'and it is told')
  })

  it('says nothing of a thread that is hardly ever collected, beside two that are', () => {
    const { problems } = soakReport({
      ...good(),
      heaps: [[...good().heaps[0]!, minutely(at => at).slice(-2)], good().heaps[1]!],
    })
    assert.deepEqual(problems, [])
  })
})

describe('a drift', () => {
  it('is that of the best line', () => {
    const { samples, mean, perHour, growth, most } = driftOf(series(at => 5 + at / 100))
    assert.equal(samples, 360)
    for (const [got, wanted] of [
      [mean, 5 + 902.5 / 100],
      [perHour, 36],
      [growth, 17.95],
      [most, 23],
    ] as const)
      assert.ok(Math.abs(got - wanted) < 1e-9, `${got} is not ${wanted}`)
  })

  it('of one sample, or none, is none', () => {
    assert.equal(driftOf([{ at: 1, value: 3 }]).growth, 0)
    assert.equal(driftOf([]).growth, 0)
  })
})

describe('what V8 tells of collections', () => {
  it('is read of each thread: what lives behind full ones', () => {
    const log = [
      '{"level":30,"msg":"starting"}',
      '[71:0x7f2a3c0]      210 ms: Scavenge 6.1 (7.2) -> 5.0 (8.2) MB, pooled: 0.0 MB, 1.1 / 0.0 ms',
      '[71:0x7f2a3c0]      960 ms: Mark-Compact 24.0 (30.4) -> 18.5 (31.0) MB, pooled: 2.4 MB, 9.67 / 0.00 ms  (average mu = 0.997)',
      '[71:0x7f2b000]     1300 ms: Mark-Compact 90.0 (99.0) -> 80.0 (99.5) MB, pooled: 2.4 MB, 9.67 / 0.00 ms',
      '[71:0x7f2a3c0]     5210 ms: Mark-Compact (reduce) 25.0 (30.4) -> 19.25 (31.0) MB, pooled: 0 MB, 9.67 / 0.00 ms',
      '[71:0x7f2a3c0]     5300 ms: Scavenge 26.1 (33.2) -> 25.0 (34.5) MB, pooled: 0.0 MB, 1.1 / 0.0 ms',
    ].join('\n')
    assert.deepEqual(liveHeaps(log), [
      [
        { at: 0.96, value: 18.5 },
        { at: 5.21, value: 19.25 },
      ],
      [{ at: 1.3, value: 80 }],
    ])
  })
})
