/**
 * A console whose facts are canned and hostile: whatever a record, a model id, an instance or an error can say tries to become
 * part of the page. Replays and models change what it says, as they would.
 */
import type {
  ConsoleAbout,
  FingerprintView,
  GroupsView,
  LetterView,
  ReplayView,
  SelectionQuery,
  SlotView,
  WholeLetterView,
} from '../../src/console/console-api.ts'
import { type ConsoleServer, createConsoleServer } from '../../src/console/console-server.ts'
import type { ConsoleSource } from '../../src/console/console-source.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { nightGraph, nightSnapshot } from './console-night-facts.ts'
import { ATTRIBUTE, IMG, LINK, SCRIPT } from './hostile-texts.ts'

export const NIGHT_TOKEN = 'night-shift-token'
export const POISON = 'c0ffee00c0ff'

export interface Night {
  readonly address: string
  /** What was asked for, of those that change something. */
  readonly asked: readonly (readonly [what: string, request: unknown])[]
  close(): Promise<void>
}

/** A replay with the reason `quick` has ended before any snapshot. `canChange`: there is a token. `everyMs`: between snapshots. `port`: any free one. `scope`: of the whole application latency and batches are unknown, unless one of its two members has `told`. The first snapshot has no rates. */
export async function startNight({
  canChange = true,
  everyMs = 100,
  port = 0,
  scope = 'instance' as ConsoleAbout['scope'],
  told = false,
} = {}): Promise<Night> {
  const asked: (readonly [string, unknown])[] = []
  const server: ConsoleServer = await createConsoleServer({
    source: nightSource(asked, everyMs, scope, told),
    access: { hosts: [], token: canChange ? NIGHT_TOKEN : undefined },
    clock: systemClock,
  })
  return { address: await server.listen(port, '127.0.0.1'), asked, close: () => server.close() }
}

function nightSource(
  asked: (readonly [string, unknown])[],
  everyMs: number,
  scope: ConsoleAbout['scope'],
  told: boolean,
): ConsoleSource {
  const taken = new Set<string>()
  const replays: ReplayView[] = []
  let slot = slotBefore()
  let round = 0
  const letters = nightLetters()
  const selected = (query: SelectionQuery) =>
    letters.filter(
      letter =>
        (query.code?.includes(letter.code!) ?? true) &&
        (query.fingerprint?.includes(letter.fingerprint) ?? true) &&
        (query.letter?.includes(letter.place) ?? true) &&
        (query.key?.includes(letter.key!) ?? true) &&
        (query.stage?.includes(letter.stage!) ?? true) &&
        (query.text === undefined || letter.message!.includes(query.text)) &&
        !(query.open === true && taken.has(letter.place)),
    )
  const advance = (replay: ReplayView): ReplayView => {
    const { name, state, progress = 0 } = replay
    if (state !== 'running' || name.startsWith('stuck')) return replay
    const next = Math.min(1, progress + 0.5)
    return { ...replay, progress: next, replayed: Math.round(next * 40), state: next === 1 ? 'finished' : 'running' }
  }
  return {
    about: () => ({
      ...{ application: `digits ${IMG}`, topology: 'digits', scope },
      ...(scope === 'instance' && { instance: `host-1 ${ATTRIBUTE}` }),
      ...{ version: '0.1.0', guarantee: 'exactly_once', graph: nightGraph() },
    }),
    snapshots: {
      everyMs,
      async take() {
        round++
        replays.splice(0, replays.length, ...replays.map(advance))
        const now = nightSnapshot({ round, slot, replays, letters: letters.length })
        const snapshot = round === 1 ? { ...now, throughput: {}, rates: {} } : now
        if (scope === 'instance') return snapshot
        if (told) return { ...snapshot, told: { instances: 1, members: 2 } }
        const { latency, batches, ...known } = snapshot
        return known
      },
      rest() {},
    },
    letters: {
      groups: async query => groupsOf(selected(query), taken),
      letters: async (query, limit) => selected(query).slice(0, limit),
      letter: async place => letters.find(letter => letter.place === place),
    },
    replays: {
      async plan(request) {
        asked.push(['plan', request])
        const chosen = selected(request.selection)
        return {
          ...{ name: request.name ?? 'night-1', selected: chosen.length, parked: 0, lost: 0 },
          replayed: { 'digits.digits.images.replay': chosen.length },
          ...(request.reason === 'nobody is there' ? { refusal: `no member reads it ${IMG}` } : {}),
        }
      },
      async start(request) {
        asked.push(['start', request])
        for (const { place } of selected(request.selection)) taken.add(place)
        const { name = 'night-1', reason = '' } = request
        const startedAt = new Date().toISOString()
        const view = { name, by: IMG, reason, startedAt, state: 'running', progress: 0 } as const
        const isShort = reason === 'quick'
        replays.unshift({ ...view, ...(isShort && { state: 'finished' }), replayed: 0, parked: 0, lost: 0 })
        return replays[0]!
      },
      async cancel(name) {
        asked.push(['cancel', name])
        const at = replays.findIndex(replay => replay.name === name)
        replays[at] = { ...replays[at]!, state: 'cancelled' }
      },
    },
    models: {
      async publish(request) {
        asked.push(['publish', request])
        const { modelId, modelName = 'made' } = request
        slot = { ...slot, revision: slot.revision + 1, stable: { modelId, modelName }, previous: [slot.stable!] }
        return { slot: slot.slot, revision: slot.revision }
      },
      async change(what, request) {
        asked.push([what, request])
        const { candidate, ...rest } = slot
        slot = { ...rest, revision: slot.revision + 1, stable: what === 'promote' ? candidate! : rest.stable! }
        return { slot: slot.slot, revision: slot.revision }
      },
    },
    close: async () => {},
  }
}

function slotBefore(): SlotView {
  const sha256 = '3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b'
  return {
    slot: `classify ${SCRIPT}`,
    revision: 7,
    stable: { modelId: `models/v1.onnx${IMG}`, modelName: LINK, sha256 },
    candidate: { modelId: `models/v2.onnx${ATTRIBUTE}`, modelName: 'v2', mode: 'canary', percent: 10 },
    previous: [{ modelId: LINK, modelName: SCRIPT, sha256 }],
    publishedBy: IMG,
    publishedAt: '2026-01-31T12:00:00.000Z',
    fleet: [
      { instance: ATTRIBUTE, state: 'current', revision: 7, modelId: IMG },
      { instance: 'host-2', state: 'failed', revision: 7, reason: `[MODEL_UNUSABLE] ${IMG} is no model` },
    ],
  }
}

/** 40 that the model cannot take, and one of everything that is hostile in each field. */
function nightLetters(): WholeLetterView[] {
  const of = (i: number, isPoison: boolean): WholeLetterView => ({
    place: `digits.classify.failed-inference/${i % 4}/${i}`,
    failedAt: new Date(Date.UTC(2026, 0, 31, 3, 10, i % 60)).toISOString(),
    stage: 'inference',
    step: 'classify',
    code: isPoison ? 'SHAPE_MISMATCH' : 'INFERENCE_FAILED',
    message: isPoison ? `tensor x of row ${i} has 63 values, expected 64` : `the model says ${IMG} ${SCRIPT}`,
    modelId: `models/v1.onnx${IMG}`,
    key: isPoison ? `image-${i}` : `${IMG}${i}`,
    original: `digits.images/${i % 4}/${1000 + i}`,
    replayCount: 0,
    fingerprint: isPoison ? POISON : ATTRIBUTE,
    errorType: SCRIPT,
    stack: `RangeError: ${IMG}\n    at ${LINK}`,
    attempt: 1,
    headers: [
      [IMG, LINK],
      ['traceparent', ATTRIBUTE],
    ],
    ...(isPoison
      ? { decoded: JSON.stringify({ id: `image-${i}`, note: IMG, link: LINK }, null, 2) }
      : { undecoded: { why: `[DECODE_MAGIC_BYTE] ${SCRIPT}`, hex: '00000000  3c 69 6d 67  |<img src=x onerror=1>|' } }),
    bytes: 214,
  })
  return Array.from({ length: 45 }, (_, i) => of(i, i >= 5)).reverse()
}

function groupsOf(letters: readonly LetterView[], taken: ReadonlySet<string>): GroupsView {
  const groups = Object.values(Object.groupBy(letters, ({ fingerprint }) => fingerprint)).map((of): FingerprintView => {
    const { fingerprint, step, code, message, place } = of![0]!
    return {
      ...{ fingerprint, stage: 'inference', step, code, message: message!, replayedBefore: 0, example: place },
      ...{ count: of!.length, open: of!.filter(letter => !taken.has(letter.place)).length },
      ...{ firstAt: of!.at(-1)!.failedAt!, lastAt: of![0]!.failedAt! },
    }
  })
  const open = letters.filter(({ place }) => !taken.has(place)).length
  return { groups, letters: letters.length, open, reasons: groups.length }
}
