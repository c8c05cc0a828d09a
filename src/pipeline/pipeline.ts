/**
 * The composition, in the order in which a record travels:
 *
 *   member → admission → decode → functions → batch → lane → functions → encode → outbox → commit
 *
 * Stages do not know one another; this file is where they meet. What holds for the whole path:
 *
 * I1. Every source record ends on each branch as acknowledged outputs, one acknowledged dead letter, or a counted drop;
 *     only then may its offset be committed.
 * I2. Per input partition and output topic, outputs leave in source order.
 * I5. Memory is bounded by credits taken at fetch and returned at acknowledgement.
 * I8. What belongs to a lost partition is dropped at once: its flow is marked, and every stage asks.
 * I10. An outage pauses and is tried again; it never makes a dead letter.
 */

import type { MemberEvents, OwnedPartition } from '../kafka/port.ts'
import type { Header, RecordBlock } from '../kafka/record-block.ts'
import type { Clock } from '../ops/clock.ts'
import type { Admission } from './admission.ts'
import { ColumnPool } from './column-pool.ts'
import type { DeadLetterLog } from './dead-letter-log.ts'
import type { Dispatcher } from './dispatcher.ts'
import { Drains, type DrainTopics } from './drains.ts'
import type { FloodGuard } from './flood-guard.ts'
import type { UnitCommits } from './group-commits.ts'
import { PartitionFlow, positionsOf } from './partition-flow.ts'
import type { PipelineMetrics } from './pipeline-metrics.ts'
import { Preparation } from './preparation.ts'
import type { ReplayMark } from './replay-marks.ts'
import { replaysOf } from './replays.ts'
import type { CloseReason } from './row-run.ts'
import type { RunningFunctions } from './running-functions.ts'
import type { SourceStage } from './source-stage.ts'
import type { CommitUnit } from './unit-builder.ts'
import type { UnitOutbox } from './unit-outbox.ts'
import { tellOfUnit } from './unit-report.ts'
import { WorkBlock } from './work-block.ts'

/** What a topic is to the graph. */
export interface SourceOfTopic {
  readonly stage: SourceStage
  readonly replay: boolean
  /** Another part of the topology writes it. */
  readonly between: boolean
  /** What the headers of a replayed record ask for; undefined: everything. */
  readonly markOf: (headers: readonly Header[]) => ReplayMark | undefined
}

export interface PipelineParts {
  readonly sourceOf: (topic: string) => SourceOfTopic
  readonly outletCount: number
  readonly admission: Admission
  readonly dispatcher: Dispatcher
  readonly guard: FloodGuard
  readonly functions: Pick<RunningFunctions, 'dropLost' | 'halted'>
  readonly outbox: UnitOutbox
  readonly commits: UnitCommits
  readonly deadLetterLog: DeadLetterLog
  readonly clock: Clock
  readonly random: () => number
  readonly metrics: PipelineMetrics
  readonly note: (what: string) => void
  readonly onOutage: (what: string, error: unknown) => void
  readonly onRecovered: (what: string) => void
  readonly onFatal: (error: unknown) => void
}

export class Pipeline implements Pick<MemberEvents, 'onAssigned' | 'onLost' | 'onBlock'> {
  readonly #parts: PipelineParts
  readonly #flows = new Map<string, PartitionFlow>()
  readonly #columns = new ColumnPool()
  readonly #preparation: Preparation
  readonly #drains = new Drains()
  #isEnding = false
  /** Topics of the groups that rebalance. */
  readonly #revoking = new Set<string>()
  /** While halted: blocks that came, and from which row on they are to be decoded. */
  readonly #undecoded = new Map<WorkBlock, number>()

  constructor(parts: PipelineParts) {
    this.#parts = parts
    this.#preparation = new Preparation({ ...parts, onReady: work => this.#decode(work, 0) })
  }

  onAssigned(partitions: readonly OwnedPartition[]): void {
    const { sourceOf } = this.#parts
    const made = partitions.map(owned => {
      const { replay, between } = sourceOf(owned.topic)
      return new PartitionFlow(owned, replay, between)
    })
    for (const flow of made) this.#flows.set(idOf(flow), flow)
    this.#balance()
  }

  /** Where reading stands, by `topic/partition`. */
  positions(): Readonly<Record<string, number>> {
    return positionsOf(this.#flows.values())
  }

  /** The group that reads these topics has joined again: batches may be held back once more. */
  onJoined(topics: ReadonlySet<string>): void {
    for (const topic of topics) this.#revoking.delete(topic)
    this.#drains.giveUp(topics)
    this.#parts.outbox.joined?.(topics, [...this.#flows.values()])
    this.#balance()
  }

  onLost(partitions: readonly OwnedPartition[]): void {
    const { admission, dispatcher, functions, metrics, outbox } = this.#parts
    for (const lost of partitions) {
      const flow = this.#flows.get(idOf(lost))
      if (!flow || flow.epoch !== lost.epoch) continue
      this.#flows.delete(idOf(lost))
      flow.lost = true
      outbox.lost?.(flow)
      metrics.lost(flow.topic, flow.rows)
      metrics.forgetPartition(flow.topic, flow.partition)
      for (const work of flow.blocks) {
        admission.give(flow, 0, work.block.retainedBytes)
        admission.takeOutputs(flow, -work.outputBytes)
        this.#undecoded.delete(work)
      }
      admission.give(flow, flow.rows, 0)
      flow.blocks.length = 0
    }
    dispatcher.dropLost()
    functions.dropLost()
    this.#balance()
    this.noticeIdle()
  }

  onBlock(block: RecordBlock, epoch: number): void {
    const { admission, clock, metrics, outletCount, outbox, sourceOf } = this.#parts
    const flow = this.#flows.get(idOf(block))
    if (!flow || flow.epoch !== epoch) return
    flow.endOffset = block.endOffset
    const work = new WorkBlock(block, flow, outletCount, clock.now(), this.#columns)
    if (flow.replay) work.replays = replaysOf(block, sourceOf(block.topic).markOf)
    flow.blocks.push(work)
    admission.take(flow, block.count, block.retainedBytes)
    metrics.blockReceived(block.topic, block.count, block.retainedBytes)
    this.#balance()
    if (block.count === 0) outbox.advance(flow)
    else this.#preparation.begin(work)
  }

  /** Finishes what is in flight of the topics of one group; resolves when all of it is committed. */
  async onRebalance(topics: ReadonlySet<string>): Promise<void> {
    try {
      for (const topic of topics) this.#revoking.add(topic)
      await this.#drain('revoke', topics)
    } catch (error) {
      // A commit that will never be taken; the member would go on as if all were well.
      this.#parts.onFatal(error)
    }
  }

  /** Takes in, decodes and dispatches nothing more; what is in lanes, or done, goes on and is committed. */
  halt(): void {
    this.#setHalted(true)
  }

  resume(): void {
    this.#setHalted(false)
    const undecoded = [...this.#undecoded]
    this.#undecoded.clear()
    // It may halt again in the midst of them: each asks.
    for (const [work, from] of undecoded) this.#decode(work, from)
  }

  /** Stops taking records; what was taken goes on. */
  stopFetching(): void {
    this.#parts.admission.close()
    this.#balance()
  }

  /** The end: closes held batches, waits until nothing is in flight, commits. */
  async end(): Promise<void> {
    this.#isEnding = true
    await this.#drain('shutdown')
  }

  /** Whether somebody waits until what is in flight of this topic is committed. */
  isDraining(topic: string): boolean {
    return this.#isEnding || this.#revoking.has(topic)
  }

  async #drain(reason: CloseReason, topics?: DrainTopics): Promise<void> {
    const { dispatcher, commits, outbox } = this.#parts
    dispatcher.flush(reason)
    // What is done need not wait for its interval.
    for (const flow of this.#flows.values()) if (topics?.has(flow.topic) ?? true) outbox.advance(flow)
    const drained = this.#drains.wait(topics)
    this.noticeIdle()
    await drained
    await commits.flush(topics)
  }

  /** All records of a unit are acknowledged: credits return, and the offset may be committed. */
  acknowledged(unit: CommitUnit): void {
    const { admission, commits, guard } = this.#parts
    const { flow } = unit
    for (const { work, from, to } of unit.ranges) {
      this.#takeMade(work)
      const complete = to === work.block.count
      admission.give(flow, to - from + work.madeOf(from, to), complete ? work.block.retainedBytes : 0)
      if (!complete) continue
      admission.takeOutputs(flow, -work.outputBytes)
      flow.blocks.splice(flow.blocks.indexOf(work), 1)
      guard.blockDone(work)
      work.release()
    }
    flow.committable = unit.nextOffset
    commits.mark(flow)
    tellOfUnit(unit, this.#parts)
    // Of what brokers refused it hears here.
    guard.look()
    this.#balance()
    this.noticeIdle()
  }

  /** Rows of these blocks may have become done. */
  progressed(works: Iterable<WorkBlock>): void {
    this.#parts.guard.look()
    const flows = new Set<PartitionFlow>()
    let hasMade = false
    for (const work of works) {
      if (this.#takeMade(work)) hasMade = true
      flows.add(work.flow)
    }
    if (hasMade) this.#balance()
    for (const flow of flows) this.#parts.outbox.advance(flow)
    // What has failed may have halted the application.
    this.noticeIdle()
  }

  /** From this row on, slice by slice; what is left when the application halts waits for its end. */
  #decode(work: WorkBlock, from: number): void {
    const { admission, sourceOf, dispatcher, guard, outbox, note } = this.#parts
    const { block } = work
    const { stage } = sourceOf(block.topic)
    let row = from
    while (row < block.count && !admission.halted) {
      note(`decoding ${idOf(block)} from offset ${block.offset(row)}, and the functions behind it`)
      const begin = row
      row = stage.process(work, begin)
      guard.decoded(work, row - begin)
      if (this.#takeMade(work)) this.#balance()
      // Lanes work on it while the rest is still being decoded, and the guard hears of what came.
      dispatcher.dispatchFull()
      guard.look()
    }
    if (row < block.count && !work.lost) this.#undecoded.set(work, row)
    dispatcher.schedule()
    outbox.advance(work.flow)
    this.noticeIdle()
  }

  /** Elements that were made of records, and large outputs, take credits, and return them with their record (I5). True: some. */
  #takeMade(work: WorkBlock): boolean {
    const made = work.takeUncounted()
    const outputBytes = work.takeOutputBytes()
    if (work.lost || (made === 0 && outputBytes === 0)) return false
    const { admission, metrics } = this.#parts
    admission.take(work.flow, made, 0)
    admission.takeOutputs(work.flow, outputBytes)
    if (made > 0) metrics.childrenMade(work.flow.topic, made)
    return true
  }

  #setHalted(isHalted: boolean): void {
    const { admission, dispatcher, functions } = this.#parts
    admission.halted = isHalted
    dispatcher.halted = isHalted
    functions.halted = isHalted
    this.#balance()
  }

  #balance(): void {
    const { admission, dispatcher, metrics } = this.#parts
    const starved = admission.balance(this.#flows.values())
    const draining = this.#isEnding ? 'shutdown' : this.#revoking.size > 0 ? 'revoke' : undefined
    dispatcher.flush(draining ?? (starved ? 'pressure' : undefined))
    metrics.inFlight(admission.rows, admission.bytes)
  }

  /** Something may have ended for which a drain waits. While halted, what waits for lanes is not waited for. */
  noticeIdle(): void {
    if (!this.#drains.any) return
    const { admission, dispatcher } = this.#parts
    const isMoving = (flow: PartitionFlow) => flow.sending || dispatcher.running > 0
    const isBusy = (flow: PartitionFlow) => flow.blocks.length > 0 && (!admission.halted || isMoving(flow))
    const busy = new Set([...this.#flows.values()].filter(isBusy).map(({ topic }) => topic))
    this.#drains.settle(busy)
  }
}

function idOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}/${partition}`
}
