/** The graph and the snapshots of the hostile console (`console-night.ts`). */
import type { ConsoleSnapshot, GraphView, ReplayView, SlotView } from '../../src/console/console-api.ts'
import { ATTRIBUTE, IMG, LINK, SCRIPT } from './hostile-texts.ts'

export function nightGraph(): GraphView {
  const dead = ['preprocess', 'inference', 'postprocess'].map(stage => `digits.classify.failed-${stage}`)
  return {
    nodes: [
      { id: 'images', kind: 'source', label: 'digits.images', topic: 'digits.images' },
      { id: 'map', kind: 'function', label: `map ${IMG}` },
      { id: 'classify', kind: 'step', label: 'classify' },
      { id: 'branch', kind: 'branch', label: LINK },
      { id: 'out', kind: 'sink', label: 'digits.predictions', topic: `digits.predictions ${ATTRIBUTE}` },
      { id: 'unsure', kind: 'sink', label: 'digits.unsure', topic: 'digits.unsure' },
      ...dead.map(topic => ({ id: topic, kind: 'dead-letters' as const, label: topic, topic })),
    ],
    edges: [
      { id: '1', from: 'images', to: 'map' },
      { id: '2', from: 'map', to: 'classify' },
      { id: '3', from: 'classify', to: 'branch', label: 'ok' },
      { id: '4', from: 'branch', to: 'out', label: SCRIPT },
      { id: '5', from: 'branch', to: 'unsure', label: 'unsure' },
      ...dead.map((to, i) => ({ id: `6${i}`, from: 'classify', to, label: 'failed' })),
    ],
  }
}

export interface NightFacts {
  readonly round: number
  readonly slot: SlotView
  readonly replays: readonly ReplayView[]
  readonly letters: number
}

export function nightSnapshot({ round, slot, replays, letters }: NightFacts): ConsoleSnapshot {
  const wave = 1 + Math.sin(round / 7) / 3
  return {
    at: new Date().toISOString(),
    state: 'joined',
    ready: true,
    problems: { [`registry ${IMG}`]: `does not answer: ${SCRIPT}` },
    throughput: { inPerSecond: 12_000 * wave, outPerSecond: 11_990 * wave, failedPerSecond: 3 * wave },
    lag: { records: Math.round(3200 * wave), seconds: 0.4 * wave },
    latency: { queue: { p50: 2, p99: 9 }, compute: { p50: 3.5, p99: 6 }, total: { p50: 8, p99: 24 } },
    batches: {
      ...{ meanRows: 180, perSecond: 60, closed: { count: 40, idle: 20, [IMG]: 1 } },
      sizes: [1, 16, 256].map((upTo, i) => ({ upTo, count: 10 * (i + 1) })),
    },
    rates: { 1: 12_000 * wave, 2: 12_000 * wave, 3: 11_990 * wave, 4: 11_000 * wave, 5: 990, 61: 3 * wave },
    partitions: [0, 1, 2, 3].map(partition => ({
      ...{
        topic: 'digits.images',
        partition,
        owner: ATTRIBUTE,
        committed: 1_000_000 + round,
        end: 1_000_800,
        lag: 800,
      },
    })),
    instances: [
      {
        ...{ instance: `host-1 ${IMG}`, host: SCRIPT, partitions: 4, seen: new Date().toISOString(), isMember: true },
        ...{ inPerSecond: 12_345, outPerSecond: 12_340, failedPerSecond: 3 },
      },
      { instance: 'host-0', partitions: 0, seen: '2026-01-31T12:00:00.000Z', isMember: false },
    ],
    models: [slot],
    deadLetters: [{ topic: 'digits.classify.failed-inference', records: letters }],
    replays: [
      ...replays,
      {
        ...{ name: 'stuck-night', by: 'anna', reason: IMG, startedAt: '2026-01-31T03:12:00.000Z', state: 'running' },
        ...{ progress: 0.4, replayed: 400, parked: 3, lost: 1, problem: SCRIPT },
      },
    ],
  }
}
