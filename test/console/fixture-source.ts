/** Canned facts of an application that classifies digits: one model on trial, poison among the records, a replay under way. */
import type { ConsoleAbout, ReplayView, SlotView } from '../../src/console/console-api.ts'
import type { ConsoleSource } from '../../src/console/console-source.ts'
import { RunInferenceError } from '../../src/errors.ts'
import { FIXTURE_GROUPS, fixtureLetter, fixtureLetters } from './fixture-letters.ts'
import { fixtureSnapshot } from './fixture-snapshots.ts'

export const FIXTURE_ABOUT: Omit<ConsoleAbout, 'canChange'> = {
  application: 'digits',
  topology: 'digits',
  scope: 'instance',
  instance: 'host-1-4711',
  version: '0.1.0',
  guarantee: 'at_least_once',
  graph: {
    nodes: [
      { id: 'source digits.images', kind: 'source', label: 'digits.images', topic: 'digits.images' },
      { id: 'map 1', kind: 'function', label: 'map normalise' },
      { id: 'step classify', kind: 'step', label: 'classify' },
      { id: 'branch 1', kind: 'branch', label: 'branch 1' },
      { id: 'topic digits.predictions', kind: 'sink', label: 'digits.predictions', topic: 'digits.predictions' },
      { id: 'topic digits.doubtful', kind: 'sink', label: 'digits.doubtful', topic: 'digits.doubtful' },
      ...['preprocess', 'inference', 'postprocess'].map(stage => ({
        id: `topic digits.classify.failed-${stage}`,
        kind: 'dead-letters' as const,
        label: `digits.classify.failed-${stage}`,
        topic: `digits.classify.failed-${stage}`,
      })),
    ],
    edges: [
      edge('source digits.images', 'map 1'),
      edge('map 1', 'step classify'),
      edge('step classify', 'branch 1', 'ok'),
      edge('branch 1', 'topic digits.predictions', 'sure'),
      edge('branch 1', 'topic digits.doubtful', 'doubtful'),
      ...['preprocess', 'inference', 'postprocess'].map(stage =>
        edge('step classify', `topic digits.classify.failed-${stage}`, 'failed'),
      ),
    ],
  },
}

function edge(from: string, to: string, label?: string) {
  return { id: `${from} > ${to}`, from, to, ...(label === undefined ? {} : { label }) }
}

/** Changes of models and replays do what they say, here in memory alone. */
export function fixtureSource(): ConsoleSource {
  const begun = Date.now()
  const replays: ReplayView[] = []
  const slots: { current: SlotView | undefined } = { current: undefined }
  let revision = 7
  return {
    about: () => FIXTURE_ABOUT,
    snapshots: {
      everyMs: 1_000,
      take: async () => {
        for (const [i, replay] of replays.entries()) replays[i] = advanced(replay)
        const snapshot = fixtureSnapshot((Date.now() - begun) / 1_000, replays)
        if (slots.current !== undefined) return { ...snapshot, models: [slots.current] }
        return snapshot
      },
      rest: () => {},
    },
    letters: {
      groups: async () => ({ groups: FIXTURE_GROUPS, letters: 420, open: 403, reasons: 2 }),
      letters: async (query, limit) =>
        fixtureLetters()
          .filter(({ fingerprint }) => query.fingerprint === undefined || query.fingerprint.includes(fingerprint))
          .slice(0, limit),
      letter: async place => fixtureLetter(place),
    },
    replays: {
      plan: async ({ selection, name = 'replay-1' }) => {
        const some = FIXTURE_GROUPS.filter(({ fingerprint }) => selection.fingerprint?.includes(fingerprint) ?? true)
        const selected = some.reduce((sum, { count }) => sum + count, 0)
        return { name, selected, replayed: { 'digits.digits.images.replay': selected - 2 }, parked: 1, lost: 1 }
      },
      start: async ({ name = `replay-${replays.length + 1}`, reason }) => {
        const startedAt = new Date().toISOString()
        const view = { name, by: 'console', startedAt, state: 'running' as const, progress: 0 }
        replays.unshift({ ...view, replayed: 0, parked: 0, lost: 0, ...(reason === undefined ? {} : { reason }) })
        return replays[0]!
      },
      cancel: async name => {
        const at = replays.findIndex(replay => replay.name === name && replay.state === 'running')
        if (at < 0) throw new RunInferenceError('REPLAY_REFUSED', `there is no run ${name}`)
        replays[at] = { ...replays[at]!, state: 'cancelled' }
      },
    },
    models: {
      publish: async ({ slot, modelId, modelName = 'published' }) => {
        const [before] = fixtureSnapshot(0, []).models
        revision++
        slots.current = { ...before!, revision, stable: { modelId, modelName }, publishedBy: 'console' }
        return { slot, revision }
      },
      change: async (_what, { slot }) => ({ slot, revision: ++revision }),
    },
    close: async () => {},
  }
}

function advanced(replay: ReplayView): ReplayView {
  if (replay.state !== 'running') return replay
  const progress = Math.min(1, (replay.progress ?? 0) + 0.1)
  return { ...replay, progress, replayed: Math.round(400 * progress), state: progress === 1 ? 'finished' : 'running' }
}
