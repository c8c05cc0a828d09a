/** What a soak came to, and whether everything stayed where it was. */
import { type Drift, driftOf, isFlat, type Sampled } from './drift.ts'

export interface SoakResult {
  readonly minutes: number
  readonly guarantee: string
  /** Records a second that came through at most, and that were written. */
  readonly capacity: number
  readonly rate: number
  readonly lag: readonly Sampled[]
  readonly resident: readonly (readonly Sampled[])[]
  /** With each sample of `resident`: MB that V8's heaps took of it, by thread. */
  readonly committed: readonly (readonly (readonly number[])[])[]
  readonly descriptors: readonly (readonly Sampled[])[]
  /** Of each instance, of each of its threads: MB after full collections. */
  readonly heaps: readonly (readonly (readonly Sampled[])[])[]
  readonly unexpectedExits: number
}

/**
 * What comes first is not looked at: code is compiled, buffers find their sizes, and V8's heap grows as far as it may (to four
 * times what lives), for which it took 17 minutes at half load. Behind that its size goes up and down with the garbage in it, so
 * of the heaps that counts which lives, and of resident memory what is not theirs.
 */
const WARM_UP_SHARE = 0.5
const MB = 2 ** 20
/** What the line through the samples may gain, from the end of the warm-up to the end. */
const LIMITS = {
  heapMb: { absolute: 3, share: 0.1 },
  outsideMb: { absolute: 10, share: 0.1 },
  descriptors: { absolute: 3, share: 0 },
} as const
/** A line through fewer collections says nothing: such a heap is judged with what is outside of heaps. */
const MIN_COLLECTIONS = 4
/** From the first minute on. */
const MIN_COLLECTIONS_IN_ALL = 3
/** What a heap has while modules are loaded says nothing of what comes. */
const FIRST_SECONDS = 60
/** The share of the looks at an instance that it has to answer: what is not seen is not flat. */
const MIN_ANSWERED = 0.75

export function soakReport(result: SoakResult) {
  const warm = result.minutes * 60 * WARM_UP_SHARE
  const problems: string[] = []
  const lag = driftOf(result.lag, warm)
  const instances = result.resident.map((resident, i) => {
    const heaps = (result.heaps[i] ?? []).map(live => heapDrift(live, warm))
    const isJudged = heaps.map(({ samples }) => samples >= MIN_COLLECTIONS_IN_ALL)
    const outside = resident.map(({ at, value }, j) => {
      const committed = result.committed[i]?.[j]?.filter((_, thread) => isJudged[thread]) ?? []
      return { at, value: value / MB - committed.reduce((sum, mb) => sum + mb, 0) }
    })
    const drifts = {
      heapsMb: heaps.filter((_, thread) => isJudged[thread]),
      outsideMb: driftOf(outside, warm),
      residentMb: driftOf(
        resident.map(({ at, value }) => ({ at, value: value / MB })),
        warm,
      ),
      descriptors: driftOf(result.descriptors[i]!, warm),
    }
    const { samples, mean } = drifts.residentMb
    if (samples === 0 || samples < lag.samples * MIN_ANSWERED || mean === 0 || drifts.descriptors.mean === 0)
      problems.push(
        `instance ${i + 1}: only ${samples} of ${lag.samples} looks at it were answered with what was asked for`,
      )
    for (const drift of drifts.heapsMb)
      if (!isFlat(drift, LIMITS.heapMb)) problems.push(`instance ${i + 1}: a heap grows by ${shown(drift)} MB`)
    for (const name of ['outsideMb', 'descriptors'] as const)
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
      outsideMb: rounded(drifts.outsideMb),
      residentMb: rounded(drifts.residentMb),
      descriptors: rounded(drifts.descriptors),
    })),
    lag: rounded(lag),
    ...{ isFlat: problems.length === 0, problems },
  }
  const lines = instances.map(
    ({ heapsMb, outsideMb, residentMb, descriptors }, i) =>
      `  instance ${i + 1}: heaps ${heapsMb.map(shown).join(', ') || 'hardly collected'} MB; outside of these ${shown(outsideMb)} MB; ` +
      `resident ${shown(residentMb)} MB; descriptors ${shown(descriptors)}`,
  )
  const verdict = problems.length === 0 ? ['  all of it is flat'] : problems.map(problem => `  ${problem}`)
  const head = `${guarantee}: ${minutes} minutes at ${rate} records/s, of ${result.capacity.toFixed(0)} that come through`
  return { json, problems, text: [head, ...lines, `  lag ${shown(lag)} records`, ...verdict].join('\n') }
}

/**
 * A heap that is seldom collected has not grown to where V8 would collect it; what it had from its first minute on is looked at
 * then.
 */
function heapDrift(live: readonly Sampled[], warm: number): Drift {
  const drift = driftOf(live, warm)
  return drift.samples >= MIN_COLLECTIONS ? drift : driftOf(live, FIRST_SECONDS)
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
