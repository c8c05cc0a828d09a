/** What a soak came to, and whether everything stayed where it was. */
import { type Drift, driftOf, isFlat, type Sampled } from './drift.ts'

export interface SoakResult {
  readonly minutes: number
  readonly guarantee: string
  /** Records a second that came through at most, and that were written. */
  readonly capacity: number
  readonly rate: number
  readonly lag: readonly Sampled[]
  /** Of each instance: bytes of memory behind full collections of all its heaps, and at any time. */
  readonly collected: readonly (readonly Sampled[])[]
  readonly resident: readonly (readonly Sampled[])[]
  readonly descriptors: readonly (readonly Sampled[])[]
  /** Of each instance, of each of its threads: MB after full collections. */
  readonly heaps: readonly (readonly (readonly Sampled[])[])[]
  readonly unexpectedExits: number
}

/** What comes first is not looked at: code is compiled, and buffers find their sizes. */
const WARM_UP_SHARE = 0.5
const MB = 2 ** 20
/** What the line through the samples may gain, from the end of the warm-up to the end. */
const LIMITS = {
  heapMb: { absolute: 3, share: 0.1 },
  collectedMb: { absolute: 10, share: 0.1 },
  descriptors: { absolute: 3, share: 0 },
} as const
/** A line through fewer says nothing. The thread that watches for stalls is not among those that are made to collect. */
const MIN_COLLECTIONS = 4
/** The main thread and a lane. */
const THREADS = 2
/** The share of the looks at which an instance has to be there, and of its collections: what is not seen is not flat. */
const MIN_ANSWERED = 0.75

export function soakReport(result: SoakResult) {
  const warm = result.minutes * 60 * WARM_UP_SHARE
  const problems: string[] = []
  const lag = driftOf(result.lag, warm)
  const collections = Math.floor(result.minutes * (1 - WARM_UP_SHARE))
  const instances = result.resident.map((resident, i) => {
    const drifts = {
      heapsMb: (result.heaps[i] ?? [])
        .map(live => driftOf(live, warm))
        .filter(({ samples }) => samples >= MIN_COLLECTIONS),
      collectedMb: inMb(result.collected[i]!, warm),
      residentMb: inMb(resident, warm),
      descriptors: driftOf(result.descriptors[i]!, warm),
    }
    const { samples, mean } = drifts.residentMb
    if (samples === 0 || samples < lag.samples * MIN_ANSWERED || mean === 0 || drifts.descriptors.mean === 0)
      problems.push(
        `instance ${i + 1}: only ${samples} of ${lag.samples} looks at it were answered with what was asked for`,
      )
    const fewest = Math.min(...[...drifts.heapsMb, drifts.collectedMb].map(drift => drift.samples))
    if (drifts.heapsMb.length < THREADS || fewest < collections * MIN_ANSWERED)
      problems.push(
        `instance ${i + 1}: ${drifts.heapsMb.length} threads collected all of their heap, the least of them ${fewest} times; ` +
          `expected at least ${THREADS}, ${collections} times`,
      )
    for (const drift of drifts.heapsMb)
      if (!isFlat(drift, LIMITS.heapMb)) problems.push(`instance ${i + 1}: a heap grows by ${shown(drift)} MB`)
    for (const name of ['collectedMb', 'descriptors'] as const)
      if (!isFlat(drifts[name], LIMITS[name]))
        problems.push(`instance ${i + 1}: ${name} grows by ${shown(drifts[name])}`)
    return drifts
  })
  // Half a second of what is written.
  if (!isFlat(lag, { absolute: result.rate / 2, share: 0 })) problems.push(`the lag grows by ${shown(lag)}`)
  if (result.unexpectedExits > 0) problems.push(`${result.unexpectedExits} instances ended by themselves`)
  const { minutes, guarantee, rate } = result
  const json = {
    ...{ minutes, guarantee, capacity: round(result.capacity), rate, samples: result.lag.length },
    instances: instances.map(drifts => ({
      heapsMb: drifts.heapsMb.map(rounded),
      collectedMb: rounded(drifts.collectedMb),
      residentMb: rounded(drifts.residentMb),
      descriptors: rounded(drifts.descriptors),
    })),
    lag: rounded(lag),
    ...{ isFlat: problems.length === 0, problems },
  }
  const lines = instances.map(
    ({ heapsMb, collectedMb, residentMb, descriptors }, i) =>
      `  instance ${i + 1}: heaps ${heapsMb.map(shown).join(', ') || 'not collected'} MB; memory behind collections ${shown(collectedMb)} MB, ` +
      `at any time ${shown(residentMb)} MB; descriptors ${shown(descriptors)}`,
  )
  const verdict = problems.length === 0 ? ['  all of it is flat'] : problems.map(problem => `  ${problem}`)
  const head = `${guarantee}: ${minutes} minutes at ${rate} records/s, of ${result.capacity.toFixed(0)} that come through`
  return { json, problems, text: [head, ...lines, `  lag ${shown(lag)} records`, ...verdict].join('\n') }
}

function inMb(samples: readonly Sampled[], from: number): Drift {
  return driftOf(
    samples.map(({ at, value }) => ({ at, value: value / MB })),
    from,
  )
}

function shown({ mean, growth, perHour }: Drift): string {
  return `${mean.toFixed(1)} on average, ${growth >= 0 ? '+' : ''}${growth.toFixed(1)} (${perHour.toFixed(1)} an hour)`
}

function rounded({ samples, mean, perHour, growth, most }: Drift) {
  return {
    samples,
    ...{ mean: round(mean), perHour: round(perHour), growth: round(growth), most: samples === 0 ? 0 : round(most) },
  }
}

function round(value: number): number {
  return Number(value.toFixed(2))
}
