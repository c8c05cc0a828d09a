/**
 * The one admission point (I5). A credit, in rows and in bytes, is taken when a block is fetched and returned when its
 * records are acknowledged; nothing inside the pipeline blocks. Partitions are paused and resumed so that
 *
 * A1. a partition that holds nothing is never paused: it may always hold one fetch block;
 * A2. no partition holds more than 2 × cap / assigned and is still open;
 * A3. when the cap is reached, every partition that holds something is paused;
 * A4. replay partitions together stay open only below 20 % of the cap;
 * A5. a held partition is opened again once the reason is gone by a quarter, so that it does not flap.
 */
import type { PartitionFlow } from './partition-flow.ts'

const REPLAY_SHARE = 0.2
const REOPEN_AT = 0.75

export interface AdmissionLimits {
  /** Default 32,768. */
  readonly maxRows: number
  /** Default 64 MiB. */
  readonly maxBytes: number
}

/**
 * What one block costs with its fetch buffer: row bookkeeping, staged tensors and encoded outputs, as a rough factor. Outputs that
 * are larger than what was fetched are counted as they are.
 */
const WORKING_FACTOR = 2

export class Admission {
  rows = 0
  bytes = 0
  /** While set no partition is open, whatever credits there are. */
  halted = false
  #closed = false
  readonly #limits: AdmissionLimits
  readonly #pause: (flow: PartitionFlow) => void
  readonly #resume: (flow: PartitionFlow) => void

  constructor(limits: AdmissionLimits, pause: (flow: PartitionFlow) => void, resume: (flow: PartitionFlow) => void) {
    this.#limits = limits
    this.#pause = pause
    this.#resume = resume
  }

  /** A block was fetched. */
  take(flow: PartitionFlow, rows: number, retainedBytes: number): void {
    const bytes = retainedBytes * WORKING_FACTOR
    flow.rows += rows
    flow.bytes += bytes
    this.rows += rows
    this.bytes += bytes
  }

  /** Rows were acknowledged (or dropped with their partition); bytes come back when the whole block is. */
  give(flow: PartitionFlow, rows: number, retainedBytes: number): void {
    const bytes = retainedBytes * WORKING_FACTOR
    flow.rows -= rows
    flow.bytes -= bytes
    this.rows -= rows
    this.bytes -= bytes
  }

  /** Outputs of a block have grown beyond what it is reckoned to hold; negative when they are written, or dropped. */
  takeOutputs(flow: PartitionFlow, bytes: number): void {
    flow.bytes += bytes
    this.bytes += bytes
  }

  /** No partition is opened any more: the application stops. */
  close(): void {
    this.#closed = true
  }

  /**
   * True when every partition that holds records waits for credits: batches that are held must close (reason `pressure`).
   * Partitions without records (idle ones, replay topics) are never paused (A1), and so do not count.
   */
  balance(flows: Iterable<PartitionFlow>): boolean {
    const open = [...flows].filter(flow => !flow.lost)
    const replayRows = open.reduce((sum, flow) => sum + (flow.replay ? flow.rows : 0), 0)
    let holding = 0
    let waiting = 0
    for (const flow of open) {
      const paused = this.#mustPause(flow, open.length, replayRows)
      if (paused !== flow.paused) {
        flow.paused = paused
        if (paused) this.#pause(flow)
        else this.#resume(flow)
      }
      if (flow.blocks.length === 0) continue
      holding++
      if (paused) waiting++
    }
    return holding > 0 && waiting === holding
  }

  #mustPause(flow: PartitionFlow, assigned: number, replayRows: number): boolean {
    if (this.#closed || this.halted) return true
    if (flow.blocks.length === 0) return false
    const { maxRows, maxBytes } = this.#limits
    const slack = flow.paused ? REOPEN_AT : 1
    if (this.rows >= maxRows * slack || this.bytes >= maxBytes * slack) return true
    if (flow.replay && replayRows >= maxRows * REPLAY_SHARE * slack) return true
    return flow.rows >= (2 * maxRows * slack) / assigned || flow.bytes >= (2 * maxBytes * slack) / assigned
  }
}
