/**
 * One execution: an input, and what is wrong with how it was taken.
 * 1. What is thrown must be one of our errors, with a code that fits the place.
 * 2. An input must not cost time or memory out of proportion: most are small, so the limits are the same for each; of the few
 *    that are not, that of time grows with their size.
 * 3. No input may leave anything behind in objects that all share.
 */
import { RunInferenceError } from '../src/errors.ts'
import { mutate } from './mutate.ts'
import { numberOf, Random } from './random.ts'
import { type Target, Violation } from './target.ts'

/** Processor time; ten times what any small input needs here when it is read for the first time. */
export const MAX_CPU_MS = 400
/** A larger one has as much for each of these. */
const SMALL_BYTES = 64 * 1024
const SUSPICIOUS_MS = 60
const MAX_GROWTH_KIB = 128 * 1024
const QUICK_MS = 2
const LOOK_EVERY = 64

export interface Fault {
  readonly kind: 'error' | 'slow' | 'memory' | 'hang' | 'crash'
  /** What it is, in a line; the same for inputs that show the same. */
  readonly what: string
}

export interface Outcome {
  /** The code with which it was refused; undefined: it was taken. */
  readonly code: string | undefined
  readonly fault: Fault | undefined
}

const TAKEN: Outcome = { code: undefined, fault: undefined }

/** The input number `index` of a course; needs none of those before. */
export function inputOf(name: string, target: Target, seed: number, index: number): Buffer {
  const random = new Random(seed ^ numberOf(name), index)
  const { seeds, tokens = [], repair } = target
  const mutated = mutate(random, random.pick(seeds), random.pick(seeds), tokens)
  return repair ? repair(mutated, random) : mutated
}

let highestKib = process.resourceUsage().maxRSS
let quickOnes = 0

/** Gives the target this input. */
export async function execute(target: Target, bytes: Buffer): Promise<Outcome> {
  const startedMs = performance.now()
  let outcome = TAKEN
  try {
    const running = target.run(bytes)
    if (running !== undefined) await running
  } catch (error) {
    outcome = outcomeOf(error, target)
  }
  if (outcome.fault === undefined) {
    const cost = costOf(performance.now() - startedMs)
    if (cost === 'memory') return faulty('memory', `${Math.round(highestKib / 1024)} MiB in use after this input`)
    if (cost === 'slow') {
      const limitMs = MAX_CPU_MS * Math.max(1, bytes.length / SMALL_BYTES)
      if ((await leastCpuMs(target, bytes, limitMs)) > limitMs)
        return faulty('slow', `more than ${MAX_CPU_MS} ms of processor time for ${SMALL_BYTES} bytes`)
    }
    for (const name in {}) return faulty('error', `Object.prototype has got a member ${name}`)
  }
  return outcome
}

/** Asking for it costs more than most inputs, and none makes that much of it in so short a time. */
function costOf(ms: number): 'fine' | 'slow' | 'memory' {
  const isQuick = ms < QUICK_MS
  if (isQuick && ++quickOnes % LOOK_EVERY !== 0) return 'fine'
  const kib = process.resourceUsage().maxRSS
  const grownKib = kib - highestKib
  highestKib = Math.max(highestKib, kib)
  if (grownKib > MAX_GROWTH_KIB && !isQuick) return 'memory'
  return ms > SUSPICIOUS_MS ? 'slow' : 'fine'
}

/** Others may have had the processor meanwhile: of three times, the best counts. */
async function leastCpuMs(target: Target, bytes: Buffer, limitMs: number): Promise<number> {
  let leastUs = Number.POSITIVE_INFINITY
  for (let i = 0; i < 3 && leastUs > limitMs * 1000; i++) {
    const before = process.cpuUsage()
    try {
      await target.run(bytes)
    } catch {
      // What it throws is known by now.
    }
    const { user, system } = process.cpuUsage(before)
    leastUs = Math.min(leastUs, user + system)
  }
  return leastUs / 1000
}

function outcomeOf(error: unknown, { codes }: Target): Outcome {
  if (error instanceof RunInferenceError && codes.includes(error.code)) return { code: error.code, fault: undefined }
  if (error instanceof Violation) return faulty('error', error.message)
  const { name, message, stack } = error as Error
  const frame =
    /(?:src|fuzz)\/[\w./-]+:\d+/.exec(stack?.split('\n').slice(1).join('\n') ?? '')?.[0] ?? 'nowhere of ours'
  // What differs from input to input is left out, so that one fault is one finding.
  const text = String(message)
    .split('\n')[0]!
    .replaceAll(/\d+/g, 'N')
    .replaceAll(/(["'`]).*?\1/g, '…')
    .slice(0, 100)
  return faulty('error', `${name}: ${text} (${frame})`)
}

function faulty(kind: Fault['kind'], what: string): Outcome {
  return { code: undefined, fault: { kind, what } }
}
