import type { Lane } from '../models/executor.ts'

/**
 * Lanes that share a seat take turns: while a model is replaced, or a candidate runs beside it, there are more lanes than the
 * executor was made for, but no more of them run at once.
 *
 * R1. A lane is given a batch only while no other lane of its seat has one.
 * R2. A lane that has one is given no more while another one of its seat has work: so the other has its turn when it is done.
 * R3. Of several that are idle the one that waits longest is first.
 */
export class LaneTurns {
  readonly #seats: number
  /** When a lane had its last turn, counted. */
  readonly #turns = new WeakMap<Lane, number>()
  #lastTurn = 0

  /** `lanes`: those that the executor was made for, one a seat. */
  constructor(lanes: readonly Lane[]) {
    this.#seats = lanes.length
  }

  /** True while lanes share seats: only then is anything else asked. */
  areShared(lanes: readonly Lane[]): boolean {
    return lanes.length > this.#seats
  }

  /** Lanes without a batch that may be given one, those first that wait longest. Of a seat only one may take it. */
  idle(lanes: readonly Lane[]): Lane[] {
    const taken = new Set(lanes.filter(({ occupied }) => occupied > 0).map(({ seat }) => seat))
    const turnOf = (lane: Lane) => this.#turns.get(lane) ?? 0
    return lanes.filter(({ seat }) => !taken.has(seat)).sort((a, b) => turnOf(a) - turnOf(b))
  }

  /** Lanes with a batch that may be given more. `wants`: the lane has work. */
  busy(lanes: readonly Lane[], wants: (lane: Lane) => boolean): Lane[] {
    return lanes.filter(
      lane => lane.occupied > 0 && !lanes.some(other => other.seat === lane.seat && other !== lane && wants(other)),
    )
  }

  /** This lane was given a batch. */
  took(lane: Lane): void {
    this.#turns.set(lane, ++this.#lastTurn)
  }
}
