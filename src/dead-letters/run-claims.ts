/**
 * What replays say that they have handled, told from their audit. A claim is what one run says: its selection, and up to where it has
 * looked at letters.
 *
 * C1. A run that finished has handled all below its bounds; another one what is below its positions. Those are what its audit says;
 *     while it runs, or where it was killed, what its group has committed.
 * C2. What is not known is no claim: letters count as open rather than as handled.
 * C3. A name that is used anew for another order takes nothing with it: the group tells of the new run alone.
 * C4. What a run has left where it is, it has not handled.
 */
import type { AuditEdit, AuditLost, AuditRecord, AuditStart, LetterOffsets, ReplayOrder } from './replay-audit.ts'
import type { Selection } from './selection.ts'

export interface RunClaim {
  readonly selection: Selection
  /** When the run was started, in milliseconds since 1970. */
  readonly startedAt: number
  readonly places: readonly ClaimedPlace[]
}

export interface ClaimedPlace {
  readonly topic: string
  readonly partition: number
  /** The offset behind the last letter that was looked at. */
  readonly until: number
  /** From which offset up to which one letters were left where they are, in order. */
  readonly lost?: readonly (readonly [from: number, until: number])[]
}

/** Of a topic, by partition: what the group of a run has committed, −1 where there is nothing. */
export type Committed = (run: string, topic: string) => Promise<readonly number[]>

interface Run {
  readonly name: string
  readonly order: ReplayOrder
  readonly startedAt: number
  end?: 'finished' | 'stopped' | 'cancelled'
  /** As its ends say. */
  positions?: LetterOffsets
  /** By topic and partition. */
  readonly lost: Map<string, (readonly [from: number, until: number])[]>
  /** Its name is another run's now. */
  isReplaced: boolean
}

/** Takes up the records of an audit, those of one run in order. */
export class RunClaims {
  readonly #runs: Run[] = []
  readonly #newest = new Map<string, Run>()
  readonly #edits: RunClaim[] = []

  add(record: AuditRecord): void {
    if ('order' in record) this.#begin(record)
    else if ('letter' in record) this.#edits.push(editClaim(record))
    else {
      const run = this.#newest.get(record.run)
      if (run === undefined) return
      if (record.kind === 'lost') {
        addLost(run, record)
        return
      }
      run.end = record.kind
      if (record.positions !== undefined) run.positions = furthest(run.positions ?? {}, record.positions)
    }
  }

  /** Of these topics alone. */
  async list(topics: readonly string[], committed: Committed): Promise<readonly RunClaim[]> {
    const claims: RunClaim[] = this.#edits.filter(({ places }) => places.some(({ topic }) => topics.includes(topic)))
    for (const run of this.#runs) {
      const { order, startedAt } = run
      const places = await placesOf(run, topics, committed)
      if (places.length > 0) claims.push({ selection: order.selection, startedAt, places })
    }
    return claims
  }

  #begin({ kind, run: name, order, at }: AuditStart): void {
    const known = this.#newest.get(name)
    if (kind === 'resumed' && known !== undefined) {
      if (known.end !== 'finished') delete known.end
      return
    }
    if (known !== undefined) known.isReplaced = true
    const run = { name, order, startedAt: Date.parse(at), lost: new Map(), isReplaced: false }
    this.#newest.set(name, run)
    this.#runs.push(run)
  }
}

/** What was written again as somebody has edited it is done with, as if it had been replayed. */
function editClaim({ letter: { topic, partition, offset }, at }: AuditEdit): RunClaim {
  const until = offset + 1
  return {
    selection: { offsets: [{ of: 'letter', topic, partition, from: offset, until }] },
    startedAt: Date.parse(at),
    places: [{ topic, partition, until }],
  }
}

/** C4 */
function addLost({ lost }: Run, { letters }: AuditLost): void {
  for (const { topic, partition, spans } of letters) {
    const id = `${topic}/${partition}`
    const own = lost.get(id) ?? []
    lost.set(id, own)
    for (const span of spans) own.push(span)
  }
}

function furthest(before: LetterOffsets, now: LetterOffsets): LetterOffsets {
  const both = Object.entries(now).map(([topic, offsets]): [string, readonly number[]] => [
    topic,
    offsets.map((offset, partition) => Math.max(offset, before[topic]?.[partition] ?? 0)),
  ])
  return { ...before, ...Object.fromEntries(both) }
}

/** C1, C3 */
async function placesOf(run: Run, topics: readonly string[], committed: Committed): Promise<RunClaim['places']> {
  const { order, end, positions, isReplaced, name } = run
  const places: ClaimedPlace[] = []
  for (const topic of topics) {
    const bounds = order.bounds[topic]
    if (bounds === undefined) continue
    const told = end === 'finished' ? bounds : (positions?.[topic] ?? [])
    const isTold = isReplaced || end === 'finished' || (end !== undefined && positions !== undefined)
    const found = isTold ? [] : await committed(name, topic)
    for (const [partition, bound] of bounds.entries()) {
      const until = Math.min(bound, Math.max(told[partition] ?? 0, found[partition] ?? 0))
      const lost = run.lost.get(`${topic}/${partition}`)?.toSorted((a, b) => a[0] - b[0])
      if (until > 0) places.push({ topic, partition, until, ...(lost && { lost }) })
    }
  }
  return places
}
