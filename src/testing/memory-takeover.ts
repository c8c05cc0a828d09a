/**
 * How a member comes by its partitions, in this order: the coordinator confirms it (where it takes them again), nobody else
 * can commit for them any more (`beforeAssigned`), what is committed is read, they are assigned.
 *
 * 1. One takeover at a time: `beforeAssigned` is never called before the call before has been settled.
 * 2. When the group divides anew, what is under way is abandoned; the next generation begins it again, if it is to.
 */
import { isRetriable } from '../errors.ts'
import type { MemberEvents } from '../kafka/port.ts'
import { partitionOfKey } from './memory-assignment.ts'
import type { MemoryLink } from './memory-link.ts'

interface TakeoverContext {
  readonly link: MemoryLink
  readonly stopped: AbortSignal
  readonly beforeAssigned: MemberEvents['beforeAssigned']
  /** True: the coordinator says that this is still a member, and of this generation. */
  readonly confirm: () => Promise<boolean>
  /** Reads what is committed and assigns. */
  readonly assign: (keys: readonly string[]) => void
  readonly onFailure: (error: unknown) => void
}

export class MemoryTakeover {
  readonly #context: TakeoverContext
  /** Partitions that the group has given to the member, and that it does not own yet. */
  readonly #pending = new Set<string>()
  /** Changes with every `halt`. */
  #run = 0
  #last: Promise<void> = Promise.resolve()

  constructor(context: TakeoverContext) {
    this.#context = context
  }

  get pending(): readonly string[] {
    return [...this.#pending]
  }

  /** A generation has given these to the member. */
  begin(keys: readonly string[]): void {
    this.forget()
    for (const key of keys) this.#pending.add(key)
    if (keys.length > 0) this.#take(keys, false)
  }

  /** The member has given this one up, to take it again; while it joins, the next generation decides. */
  again(key: string, isJoining: boolean): void {
    this.#pending.add(key)
    if (!isJoining) this.#take([key], true)
  }

  /** What is under way is abandoned; what is pending stays claimed. */
  halt(): void {
    this.#run++
  }

  forget(): void {
    this.halt()
    this.#pending.clear()
  }

  #take(keys: readonly string[], confirms: boolean): void {
    const run = this.#run
    if (this.#context.beforeAssigned === undefined && !confirms) this.#assign(keys)
    else this.#last = this.#last.then(() => this.#takeInTurn(keys, confirms, run))
  }

  async #takeInTurn(keys: readonly string[], confirms: boolean, run: number): Promise<void> {
    const { beforeAssigned, confirm, link, onFailure, stopped } = this.#context
    while (run === this.#run) {
      try {
        if (confirms && !(await confirm())) return
        if (run !== this.#run) return
        await beforeAssigned?.(keys.map(partitionOfKey))
        if (run === this.#run) this.#assign(keys)
        return
      } catch (error) {
        if (run !== this.#run) return
        onFailure(error)
        if (!isRetriable(error)) return
        await link.backOff(stopped)
      }
    }
  }

  #assign(keys: readonly string[]): void {
    for (const key of keys) this.#pending.delete(key)
    this.#context.assign(keys)
  }
}
