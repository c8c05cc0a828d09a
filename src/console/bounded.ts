/** At most `max` of a list, which keep their order: those that `compare` puts first. And all that are left out. */
export function bounded<T>(
  all: readonly T[],
  max: number,
  compare: (a: T, b: T) => number,
): { readonly shown: readonly T[]; readonly leftOut: readonly T[] } {
  if (all.length <= max) return { shown: all, leftOut: [] }
  const order = Array.from(all.keys()).sort((a, b) => compare(all[a]!, all[b]!))
  const first = new Set(order.slice(0, max))
  return { shown: all.filter((_, i) => first.has(i)), leftOut: all.filter((_, i) => !first.has(i)) }
}
