import type { ConsoleSnapshot, ReplayView } from '../../src/console/console-api.ts'

const PARTITIONS = 4
const SHA = '3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b'

/** As after so many seconds; rates go up and down, totals only up. */
export function fixtureSnapshot(seconds: number, replays: readonly ReplayView[]): ConsoleSnapshot {
  const wave = 1 + Math.sin(seconds / 7) / 3
  const inPerSecond = 12_000 * wave
  const failedPerSecond = 3 * wave
  const lag = Math.round(800 * wave)
  return {
    at: new Date().toISOString(),
    state: 'joined',
    ready: true,
    problems: seconds % 40 > 30 ? { registry: 'the schema registry at http://127.0.0.1:8081 does not answer' } : {},
    throughput: { inPerSecond, outPerSecond: inPerSecond - failedPerSecond, failedPerSecond },
    lag: { records: lag * PARTITIONS, seconds: 0.4 * wave },
    latency: {
      queue: { p50: 2 * wave, p99: 9 * wave },
      compute: { p50: 3.5, p99: 6 * wave },
      total: { p50: 8 * wave, p99: 24 * wave },
    },
    batches: {
      meanRows: 180 * wave,
      perSecond: inPerSecond / (180 * wave),
      closed: { count: 40 * wave, idle: 20, time: 5 * wave },
      sizes: [1, 4, 16, 64, 256].map((upTo, i) => ({ upTo, count: Math.round(10 * (i + 1) * wave) })),
    },
    rates: {
      'source digits.images > map 1': inPerSecond,
      'map 1 > step classify': inPerSecond,
      'step classify > branch 1': inPerSecond - failedPerSecond,
      'branch 1 > topic digits.predictions': inPerSecond * 0.9,
      'branch 1 > topic digits.doubtful': inPerSecond * 0.1,
      'step classify > topic digits.classify.failed-preprocess': failedPerSecond,
    },
    partitions: Array.from({ length: PARTITIONS }, (_, partition) => {
      const committed = Math.round(1_000_000 + seconds * 3_000)
      const owner = partition < 3 ? 'host-1-4711' : 'host-2-99'
      return { topic: 'digits.images', partition, owner, committed, end: committed + lag, lag }
    }),
    instances: [
      {
        instance: 'host-1-4711',
        host: '10.0.0.1',
        partitions: 3,
        seen: new Date().toISOString(),
        isMember: true,
      },
      { instance: 'host-2-99', host: '10.0.0.2', partitions: 1, isMember: true },
      { instance: 'host-0-12', partitions: 0, seen: '2026-01-31T12:00:00.000Z', isMember: false },
    ],
    models: [
      {
        slot: 'classify',
        revision: 7,
        stable: { modelId: 'models/digits-mlp-v1.onnx', modelName: 'digits-mlp-v1', sha256: SHA },
        candidate: {
          modelId: 'models/digits-mlp-v2.onnx',
          modelName: 'digits-mlp-v2',
          sha256: SHA.replaceAll('3', '4'),
          mode: 'canary',
          percent: 10,
        },
        previous: [{ modelId: 'models/digits-mlp-v0.onnx', modelName: 'digits-mlp-v0' }],
        publishedBy: 'anna',
        publishedAt: '2026-01-31T12:00:00.000Z',
        fleet: [
          { instance: 'host-1-4711', state: 'current', revision: 7, modelId: 'models/digits-mlp-v1.onnx' },
          {
            instance: 'host-2-99',
            state: 'failed',
            revision: 7,
            modelId: 'models/digits-mlp-v0.onnx',
            reason: '[MODEL_UNUSABLE] <img src=x onerror=alert(1)> is no model',
          },
        ],
      },
    ],
    deadLetters: ['preprocess', 'inference', 'postprocess'].map((stage, i) => ({
      topic: `digits.classify.failed-${stage}`,
      records: i === 2 ? 0 : 400 + Math.round(seconds * failedPerSecond * (i === 0 ? 1 : 0)),
    })),
    replays: [
      ...replays,
      {
        name: 'last-night',
        by: 'anna',
        reason: 'digits-mlp-v0 could not read them',
        startedAt: '2026-01-30T03:12:00.000Z',
        state: 'finished',
        progress: 1,
        replayed: 1_204,
        parked: 3,
        lost: 1,
      },
    ],
  }
}
