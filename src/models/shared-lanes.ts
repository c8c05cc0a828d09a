import type { Executor, Lane } from './executor.ts'

/** The lanes of an executor as the steps of a topology use them: one that no step uses any more is retired. */
export class SharedLanes {
  readonly #executor: Executor
  readonly #users = new Map<Lane, number>()

  constructor(executor: Executor) {
    this.#executor = executor
  }

  /** One more step uses this lane. */
  use(lane: Lane): void {
    this.#users.set(lane, (this.#users.get(lane) ?? 0) + 1)
  }

  /** A step has unloaded what it had in this lane, and will load nothing there. */
  leave(lane: Lane): void {
    const users = this.#users.get(lane)! - 1
    if (users > 0) {
      this.#users.set(lane, users)
      return
    }
    this.#users.delete(lane)
    this.#executor.retire(lane)
  }

  /** A lane that nobody uses yet; `enlist` or `retire` it. */
  spare(like: Lane): Lane {
    return this.#executor.spare(like)
  }

  /** A step uses this spare lane from now on; `isAside`: it stays outside of the executor's list until `admit`. */
  enlist(spare: Lane, isAside = false): void {
    if (!isAside) this.admit(spare)
    this.use(spare)
  }

  /** A lane that is in use is among the executor's from now on. */
  admit(spare: Lane): void {
    this.#executor.enlist(spare)
  }

  /** Ends a spare lane that was not enlisted. */
  retire(spare: Lane): void {
    this.#executor.retire(spare)
  }
}
