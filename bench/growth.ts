/** How fast a topic was written to, seen from outside. */
import { setTimeout as delay } from 'node:timers/promises'

const EVERY_MS = 20

export interface Sample {
  readonly atMs: number
  readonly count: number
}

/** Counts now and then until `ended` settles, and once more then; rejects when `ended` does. */
export async function sampleUntil(ended: Promise<unknown>, count: () => Promise<number>): Promise<readonly Sample[]> {
  const samples: Sample[] = []
  const sample = async () => {
    const counted = await count()
    samples.push({ atMs: performance.now(), count: counted })
  }
  const goesOn = ended.then(() => false)
  while (await Promise.race([goesOn, delay(EVERY_MS, true)])) await sample()
  await sample()
  return samples
}

/** Per second, from the first sample that has any to the first that has all. */
export function growthPerSecond(samples: readonly Sample[]): number {
  const all = samples.at(-1)?.count
  const first = samples.find(({ count }) => count > 0)
  const last = samples.find(({ count }) => count === all)
  if (first === undefined || last === undefined || first === last)
    throw new Error('all records came between two looks at the topic: too few to tell how fast')
  return ((last.count - first.count) * 1000) / (last.atMs - first.atMs)
}
