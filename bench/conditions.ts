/** What the figures depend on, and how busy the machine is with other things. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { KAFKA_VERSION } from '../src/cluster/install.ts'

const QUIET = 0.15
const SAMPLE_MS = 400

/** Lanes that `kri run` takes: one core is left for the main thread. */
export const DEFAULT_LANES = Math.max(1, availableParallelism() - 1)

export interface Conditions {
  readonly cores: number
  readonly cpu: string
  readonly memoryGiB: number
  readonly node: string
  readonly kafka: string
  readonly onnxruntime: string
  readonly lanes: number
  readonly loadAverage: number
}

export function conditions(lanes: number, ownBroker: boolean): Conditions {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    kafka: ownBroker ? `${KAFKA_VERSION}, one broker on this machine` : 'given by KRI_BROKERS',
    onnxruntime: versionOf('onnxruntime-node'),
    lanes,
    loadAverage: loadavg()[0]!,
  }
}

/** Waits until others leave the machine alone, but not for long; returns the share of it that they still use. */
export async function whenQuiet(patienceMs: number): Promise<number> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const busy = await busyShare()
    if (busy < QUIET || performance.now() > deadline) return busy
  }
}

export function isDisturbed(busy: number): boolean {
  return busy >= QUIET
}

/** Before each run that is measured: waits until the machine is quiet, but not for long. */
export interface QuietWaits {
  wait(): Promise<void>
  /** Runs before which it did not get quiet. */
  disturbed(): number
}

export function createQuietWaits(quick: boolean): QuietWaits {
  let disturbed = 0
  return {
    async wait() {
      if (isDisturbed(await whenQuiet(quick ? 2_000 : 5_000))) disturbed++
    },
    disturbed: () => disturbed,
  }
}

async function busyShare(): Promise<number> {
  const before = times()
  await delay(SAMPLE_MS)
  const after = times()
  return 1 - (after.idle - before.idle) / Math.max(1, after.all - before.all)
}

function times(): { idle: number; all: number } {
  let idle = 0
  let all = 0
  for (const { times } of cpus()) {
    idle += times.idle
    all += times.idle + times.user + times.sys + times.nice + times.irq
  }
  return { idle, all }
}

function versionOf(name: string): string {
  const file = createRequire(import.meta.url).resolve(`${name}/package.json`)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
