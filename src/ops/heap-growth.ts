import { setFlagsFromString } from 'node:v8'

/** V8's own upper bound for how far a heap may grow between two full collections: to four times what lives. */
const GROWING_PERCENT = 300

/**
 * Lets the heap grow by as much as V8 ever would before all of it is collected. Records lie in buffers outside the
 * JavaScript heap; V8 counts them against the heap's limit, but chooses the limit by how fast JavaScript objects are
 * made, which is slowly here: so it collected a heap of 15 MB for every 16 MB of records. Costs some 30 MiB of memory.
 * For the whole process; call it once, early, where a process runs topologies and nothing else.
 */
export function letHeapGrow(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWING_PERCENT}`)
}
