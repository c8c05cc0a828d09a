interface SharedModel {
  readonly model: unknown
  readonly unload: (model: unknown) => Promise<void>
  users: number
}

/**
 * The models that users' handlers have loaded in a lane: one for each identifier, however many steps work with it. A lane does
 * one thing at a time, so nothing is loaded twice at once.
 */
export class SharedModels {
  readonly #models = new Map<string, SharedModel>()

  /** The model of this identifier, loaded if nobody has; `unload` is that of who loaded it. Rejects as `load` does. */
  async acquire(
    identifier: string,
    load: () => Promise<unknown>,
    unload: (model: unknown) => Promise<void>,
  ): Promise<unknown> {
    const shared = this.#models.get(identifier) ?? { model: await load(), unload, users: 0 }
    this.#models.set(identifier, shared)
    shared.users++
    return shared.model
  }

  /** The last one to leave has it unloaded; rejects as `unload` does, and it is gone all the same. */
  async release(identifier: string): Promise<void> {
    const shared = this.#models.get(identifier)!
    shared.users--
    if (shared.users > 0) return
    this.#models.delete(identifier)
    await shared.unload(shared.model)
  }
}
