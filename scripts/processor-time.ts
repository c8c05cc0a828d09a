import { readFileSync } from 'node:fs'

/** What the system counts processor time in, wherever Linux runs. */
const TICKS_PER_SECOND = 100

/**
 * Processor time that processes which this one started, and theirs, have taken, in seconds: of those only that have ended and been
 * waited for. Undefined where the system does not tell.
 */
export function endedProcessorSeconds(): number | undefined {
  try {
    // The name of the program, in brackets, may hold anything.
    const fields = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1)!.split(' ')
    // Fields 16 and 17 of proc(5), of user and system; what is left begins with the third.
    const ticks = Number(fields[13]) + Number(fields[14])
    return Number.isFinite(ticks) ? ticks / TICKS_PER_SECOND : undefined
  } catch {
    return undefined
  }
}
