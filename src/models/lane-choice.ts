import type { Executor, Isolation, Lane, ModelSpec } from './executor.ts'

type Placed = Pick<ModelSpec, 'isolation' | 'providers'>

/** How many lanes of each kind these models need, when so many are asked for: one is enough for all that want a GPU. */
export function lanesNeeded(specs: readonly Placed[], lanes: number): Readonly<Record<Isolation, number>> {
  const needed = (isolation: Isolation): number => {
    const here = specs.filter(spec => spec.isolation === isolation)
    if (here.every(isOnDevice)) return Math.min(here.length, 1)
    return lanes
  }
  return { thread: needed('thread'), process: needed('process') }
}

/** The lanes that load a model: all of its kind; for one on a GPU, the first. */
export function lanesFor(executor: Pick<Executor, 'lanes'>, spec: Placed): readonly Lane[] {
  const fitting = executor.lanes.filter(({ isolation }) => isolation === 'any' || isolation === spec.isolation)
  return isOnDevice(spec) ? fitting.slice(0, 1) : fitting
}

/** What is asked for first is a GPU. */
function isOnDevice({ providers: [first] }: Placed): boolean {
  return first !== undefined && first !== 'cpu'
}
