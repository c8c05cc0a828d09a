/**
 * Runs two that are compared, `a` first in even rounds and `b` first in odd ones: over the rounds ABBA, so that what drifts,
 * or what the first does to the second, meets both alike.
 */
export async function pair<T>(round: number, a: () => Promise<T>, b: () => Promise<T>): Promise<readonly [a: T, b: T]> {
  if (round % 2 === 0) {
    const first = await a()
    return [first, await b()]
  }
  const first = await b()
  return [await a(), first]
}
