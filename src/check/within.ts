import { type Clock, sleep } from '../ops/clock.ts'

/** What `work` gives, or a rejection with `whenLate()` after `budgetMs`; the work itself goes on then, unheard. */
export async function within<T>(clock: Clock, budgetMs: number, work: Promise<T>, whenLate: () => Error): Promise<T> {
  const decided = new AbortController()
  const late = sleep(clock, budgetMs, decided.signal).then(() => {
    throw whenLate()
  })
  try {
    return await Promise.race([work, late])
  } finally {
    decided.abort()
  }
}
