// Run by processes of a fuzz pool (test/fuzz/pool.test.ts): a target that ends them, or keeps them, and one that never opens.
import { appendFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { takeOrder } from '../../fuzz/part.ts'
import type { Target, TargetSource } from '../../fuzz/target.ts'

/** Inputs are a number each. */
const NUMBERS = 60
export const EXIT = 1
export const KILL = 2
export const HANG = 3
/** A file to which every input is written before it is executed. */
export const EXECUTED_FILE = 'KRI_TEST_EXECUTED'

export function deadlyTarget(): Target {
  return {
    seeds: [Buffer.of(0)],
    codes: [],
    repair: (_, random) => Buffer.of(random.below(NUMBERS)),
    run([number]) {
      appendFileSync(process.env[EXECUTED_FILE]!, `${number}\n`)
      if (number === EXIT) process.exit(7)
      if (number === KILL) process.kill(process.pid, 'SIGKILL')
      // Keeps its process as a loop does, and leaves the processor to others.
      if (number === HANG || number === KILL) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    },
  }
}

const about = 'of a test'
export const deadly: TargetSource = { name: 'deadly', about, open: deadlyTarget }
export const stillborn: TargetSource = {
  name: 'stillborn',
  about,
  open() {
    throw new Error('it does not open')
  },
}

if (process.argv[1] === fileURLToPath(import.meta.url)) takeOrder([deadly, stillborn])
