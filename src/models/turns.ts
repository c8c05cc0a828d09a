/** Work with one key comes one after another; that with others does not wait. */
export interface Turns {
  /** Rejects with the signal's reason when it is aborted before the turn comes. */
  take<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T>
}

export function createTurns(): Turns {
  const last = new Map<string, Promise<void>>()
  return {
    async take(key, signal, work) {
      const before = last.get(key)
      const { promise, resolve } = Promise.withResolvers<void>()
      const mine = before === undefined ? promise : before.then(() => promise)
      last.set(key, mine)
      try {
        if (before !== undefined) await unlessAborted(before, signal)
        return await work()
      } finally {
        resolve()
        if (last.get(key) === mine) last.delete(key)
      }
    },
  }
}

async function unlessAborted(before: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const abort = () => resolve()
  signal.addEventListener('abort', abort, { once: true })
  await Promise.race([before, promise])
  signal.removeEventListener('abort', abort)
  signal.throwIfAborted()
}
