/** What somebody wants of a replay, made into the order of a run, or compared with the order that a run has. */
import { isDeepStrictEqual } from 'node:util'
import { RunInferenceError } from '../errors.ts'
import { KRI_PREFIX } from '../kafka/headers.ts'
import type { KafkaPort } from '../kafka/port.ts'
import type { Topology } from '../topology.ts'
import { selectedTopics } from './letter-topics.ts'
import { isRunName, type LetterOffsets, type ReplayOrder, type ReplayTarget } from './replay-audit.ts'
import { isOver, type ReplayRun } from './replay-runs.ts'
import type { Selection } from './selection.ts'

export const DEFAULT_MAX_REPLAYS = 3
const MAX_HEADER_NAME_CHARS = 249

/** What is left out has its default, or is what the run of this name began with. */
export interface ReplayWish {
  /** Letters, digits, `.`, `_` and `-`, at most 100. */
  readonly name: string
  readonly reason?: string
  /** Default: all. */
  readonly selection?: Selection
  /** Default: the private replay topics of the application. */
  readonly target?: ReplayTarget
  /** Letters that were replayed so often are parked; default 3. */
  readonly maxReplays?: number
  /** Default: that of the application. */
  readonly guarantee?: ReplayOrder['guarantee']
  /** Headers of the source record; null takes one away. */
  readonly setHeaders?: ReplayOrder['setHeaders']
  /** Of these only what no run has handled yet. */
  readonly onlyOpen?: boolean
  /** Outputs may be compacted, and what is newer there be replaced. */
  readonly allowStale?: boolean
}

/** What is behind the last letters now, as far as can be read. */
export async function boundsNow(
  { admin }: Pick<KafkaPort, 'admin'>,
  topology: Topology,
  selection: Selection,
): Promise<LetterOffsets> {
  const topics = selectedTopics(topology, selection)
  const ends = await Promise.all(
    topics.map(async topic => [topic, (await admin.offsets(topic)).map(({ end }) => end)] as const),
  )
  return Object.fromEntries(ends)
}

export function newOrder(
  wish: ReplayWish,
  { bounds, guarantee }: Pick<ReplayOrder, 'bounds' | 'guarantee'>,
): ReplayOrder {
  return {
    selection: wish.selection ?? {},
    bounds,
    target: wish.target ?? { kind: 'replay' },
    maxReplays: wish.maxReplays ?? DEFAULT_MAX_REPLAYS,
    guarantee: wish.guarantee ?? guarantee,
    setHeaders: wish.setHeaders ?? {},
    ...(wish.onlyOpen === true && { onlyOpen: true }),
    ...(wish.allowStale === true && { allowStale: true }),
  }
}

/** A name that nobody else has chosen: when it was, and who it is. */
export function newRunName(by: string, wallTimeMs: number): string {
  const time = new Date(wallTimeMs).toISOString().replace(/[-:Z]/g, '').replace(/[T.]/g, '-')
  const who = by
    .split('@')[0]!
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .slice(0, 40)
  return `${time}-${who || 'somebody'}`
}

/** Throws REPLAY_REFUSED for what can never be right, whatever is in Kafka. */
export function checkWish({ name, setHeaders = {} }: ReplayWish): void {
  if (!isRunName(name))
    throw refused(`${JSON.stringify(name)} cannot name a run: expected letters, digits, ".", "_" and "-", at most 100`)
  for (const [header, text] of Object.entries(setHeaders)) checkHeader(header, text)
}

/** Throws REPLAY_REFUSED for a header that says something else than it seems to, or what only we may say. */
export function checkHeader(header: string, text: string | null): void {
  const what = `header ${JSON.stringify(header)} cannot be set`
  if (header === '' || header.length > MAX_HEADER_NAME_CHARS || /\p{C}/u.test(header) || !header.isWellFormed())
    throw refused(
      `${what}: expected a name of at most ${MAX_HEADER_NAME_CHARS} characters, none of them a control character`,
    )
  if (header.toLowerCase().startsWith(KRI_PREFIX))
    throw refused(`${what}: names that begin with ${KRI_PREFIX} say where a record failed, and are nobody's to set`)
  if (text !== null && !text.isWellFormed()) throw refused(`${what}: its value is no text that UTF-8 can say`)
}

/** The order that a run of this name goes on with. Throws REPLAY_REFUSED when it is over, or something else is wished for. */
export function orderOf(run: ReplayRun, wish: ReplayWish): ReplayOrder {
  const { name, order, startedAt, by } = run
  if (isOver(run)) {
    const end = `${run.state} at ${run.lastEnd?.at ?? '?'}`
    throw refused(`run ${name} (started by ${by} at ${startedAt}) is over, ${end}: choose another name`)
  }
  const differing = differences(order, wish)
  if (differing.length > 0) {
    const next = 'Leave them out to go on with what it began with, or choose another name'
    throw refused(`run ${name} began otherwise, and goes on as it began:\n  ${differing.join('\n  ')}\n  ${next}`)
  }
  return order
}

/** What is wished for, and is not so; what is not wished for does not differ. */
function differences(order: ReplayOrder, wish: ReplayWish): readonly string[] {
  const found: string[] = []
  const compare = (what: string, wished: unknown, got: unknown) => {
    if (!isDeepStrictEqual(wished, got)) found.push(`${what}: it has ${shown(got)}, not ${shown(wished)}`)
  }
  const wished = (wish.selection ?? {}) as Readonly<Record<string, unknown>>
  const given = order.selection as Readonly<Record<string, unknown>>
  if (Object.keys(wished).length > 0)
    for (const name of new Set([...Object.keys(wished), ...Object.keys(given)]))
      compare(name, wished[name], given[name])
  for (const name of ['target', 'maxReplays', 'guarantee'] as const)
    if (wish[name] !== undefined) compare(name, wish[name], order[name])
  if (Object.keys(wish.setHeaders ?? {}).length > 0) compare('setHeaders', wish.setHeaders, order.setHeaders)
  if (wish.onlyOpen === true) compare('onlyOpen', true, order.onlyOpen)
  if (wish.allowStale === true) compare('allowStale', true, order.allowStale)
  return found
}

function shown(value: unknown): string {
  return value === undefined ? 'none' : JSON.stringify(value)
}

export function refused(what: string): RunInferenceError {
  return new RunInferenceError('REPLAY_REFUSED', what)
}
