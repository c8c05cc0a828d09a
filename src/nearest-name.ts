/** The candidate that a mistyped name most probably means, or undefined when none is near. Case does not count. */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  const wanted = name.toLowerCase()
  // A third of the letters may be wrong: more would suggest names that have nothing to do with it.
  let best = Math.max(1, Math.floor(wanted.length / 3))
  let nearest: string | undefined
  for (const candidate of candidates) {
    // No text is nearer to another than their lengths are.
    if (Math.abs(candidate.length - wanted.length) > best) continue
    const distance = editDistance(wanted, candidate.toLowerCase())
    if (distance > best || (nearest !== undefined && distance === best)) continue
    best = distance
    nearest = candidate
  }
  return nearest
}

/** `Did you mean x?`, with what there is when nothing is near. */
export function suggestion(name: string, candidates: readonly string[]): string {
  const nearest = nearestName(name, candidates)
  if (nearest !== undefined) return `Did you mean ${nearest}?`
  return candidates.length === 0 ? 'Leave it out: there are none' : `Known: ${candidates.join(', ')}`
}

/** Insertions, deletions, replacements and swaps of neighbours that lead from one text to the other. */
function editDistance(from: string, to: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    for (let j = 1; j <= to.length; j++) {
      const replaced = last[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)
      row[j] = Math.min(replaced, last[j]! + 1, row[j - 1]! + 1)
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
      if (swapped) row[j] = Math.min(row[j]!, beforeLast[j - 2]! + 1)
    }
    beforeLast = last
    last = row
  }
  return last[to.length]!
}
