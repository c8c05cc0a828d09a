/** A fixed cost and a cost per row, as a straight line through measured batches: Beam's fit, by its own formulae. */

export interface Line {
  /** The value at size 0. */
  readonly fixed: number
  /** By how much it grows with each row. */
  readonly perRow: number
}

/** From so many points on, outliers are found and left out. */
const ROBUST_FROM = 10
const MAX_COOK_DISTANCE = 0.5

/**
 * Least squares; from ten points on without those whose Cook's distance is above 0.5, the others weighted by 1/size, since
 * small batches say most about the fixed cost.
 */
export function fitLine(sizes: readonly number[], times: readonly number[]): Line {
  const n = sizes.length
  if (sizes.every(size => size === sizes[0])) {
    const mean = sum(times) / n
    return sizes[0] === 0 ? { fixed: mean, perRow: 0 } : { fixed: 0, perRow: mean / sizes[0]! }
  }
  const plain = leastSquares(sizes, times, () => 1)!
  if (n < ROBUST_FROM) return plain
  const distances = cookDistances(sizes, times, plain)
  if (!distances) return plain
  return (
    leastSquares(sizes, times, i => (distances[i]! <= MAX_COOK_DISTANCE ? 1 / (sizes[i]! * sizes[i]!) : 0)) ?? plain
  )
}

/** How much each point moves the line; undefined when all lie on it. */
function cookDistances(sizes: readonly number[], times: readonly number[], line: Line): number[] | undefined {
  const n = sizes.length
  const sumX = sum(sizes)
  const sumX2 = sum(sizes.map(size => size * size))
  const errors = sizes.map((size, i) => line.fixed + line.perRow * size - times[i]!)
  const s2 = sum(errors.map(error => error * error)) / (n - 2)
  if (s2 === 0) return undefined
  return sizes.map((size, i) => {
    const leverage = (sumX2 - 2 * sumX * size + n * size * size) / (n * sumX2 - sumX * sumX)
    return ((errors[i]! * errors[i]!) / (2 * s2)) * (leverage / (1 - leverage) ** 2)
  })
}

/** Minimises the weighted sum of squared errors; undefined when the points with a weight all have one size. */
function leastSquares(
  sizes: readonly number[],
  times: readonly number[],
  weightOf: (i: number) => number,
): Line | undefined {
  const weights = sizes.map((_, i) => weightOf(i))
  const total = sum(weights)
  const meanX = sum(sizes.map((size, i) => weights[i]! * size)) / total
  const meanY = sum(times.map((time, i) => weights[i]! * time)) / total
  const spread = sum(sizes.map((size, i) => weights[i]! * (size - meanX) ** 2))
  if (!(spread > 0)) return undefined
  const perRow = sum(sizes.map((size, i) => weights[i]! * (size - meanX) * (times[i]! - meanY))) / spread
  return { fixed: meanY - perRow * meanX, perRow }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
