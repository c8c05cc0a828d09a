/**
 * What is done to a run, one thing after the other. Which, to whom and for how long follows from the seed; when exactly does
 * not: just before each, the instances are looked at until rows are in flight, and a transaction is open where there are any.
 */
import type { Fleet, Instance, Look } from './fleet.ts'
import { until } from './until.ts'
import type { Partition, Watch } from './watch.ts'

export const FAULT_KINDS = ['kill', 'stop', 'broker', 'rebalance', 'registry'] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

export interface Fault {
  readonly kind: FaultKind
  /** What was done, in words. */
  readonly what: string
  /** Just before, in the instances that it concerns. */
  readonly rowsInFlight: number
  readonly openTransactions: number
  /** From the fault to the first new output of every partition that it concerns. */
  readonly recoverySeconds: number
}

export interface FaultOptions {
  readonly fleet: Fleet
  readonly watch: Watch
  readonly brokers: {
    readonly count: number
    end(index: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void>
    start(index: number): Promise<void>
  }
  readonly registry: {
    /** Lets the producer go on with values that no instance can read without asking the registry, which is gone. */
    takeAway(): Promise<void>
    giveBack(): Promise<void>
  }
  readonly allPartitions: readonly Partition[]
  readonly sessionTimeoutMs: number
  /** How much longer than its session an instance is stopped: between these, in milliseconds. */
  readonly stopBeyondMs: readonly [least: number, most: number]
  readonly hasTransactions: boolean
  readonly random: () => number
  readonly sleep: (ms: number) => Promise<void>
  readonly signal: AbortSignal
}

/** How long a moment is waited for in which rows are in flight, and a transaction is open. */
const LOOK_MS = 2_000
const LOOK_EVERY_MS = 20
const START_MS = 120_000
/** So many run, and now and then one more. */
export const INSTANCES = 3

type Strike = Omit<Fault, 'kind'>

export function createFaults(options: FaultOptions): (kind: FaultKind) => Promise<Fault> {
  const { fleet, watch, brokers, registry, allPartitions, hasTransactions, random, sleep, signal } = options
  const between = (low: number, high: number) => low + random() * (high - low)
  const oneOf = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!

  /** The best moment of the next seconds: the first that has all, else the last look. */
  async function moment(instances: readonly Instance[]): Promise<Look> {
    const deadline = performance.now() + LOOK_MS
    for (;;) {
      const looks = (await Promise.all(instances.map(each => each.look()))).filter(look => look !== undefined)
      const look = {
        rowsInFlight: looks.reduce((sum, each) => sum + each.rowsInFlight, 0),
        openTransactions: looks.reduce((sum, each) => sum + each.openTransactions, 0),
        owned: looks.flatMap(each => each.owned),
      }
      const isGood = look.rowsInFlight > 0 && (!hasTransactions || look.openTransactions > 0)
      if (isGood || performance.now() > deadline) return look
      await sleep(LOOK_EVERY_MS)
    }
  }

  const secondsSince = (at: number) => (performance.now() - at) / 1_000

  async function kill(): Promise<Strike> {
    const victim = oneOf(fleet.running)
    const look = await moment([victim])
    const at = performance.now()
    await victim.end('SIGKILL')
    const before = await watch.position()
    await sleep(between(0, 2_000))
    fleet.start()
    await watch.untilMoved(look.owned, before)
    return { ...look, what: `SIGKILL of ${victim.name}`, recoverySeconds: secondsSince(at) }
  }

  async function stop(): Promise<Strike> {
    const victim = oneOf(fleet.running)
    const ms = options.sessionTimeoutMs + between(...options.stopBeyondMs)
    const look = await moment([victim])
    const at = performance.now()
    victim.signal('SIGSTOP')
    const recovered = async () => {
      await watch.untilMoved(look.owned, await watch.position())
      return secondsSince(at)
    }
    const [recoverySeconds] = await Promise.all([recovered(), sleep(ms).finally(() => victim.signal('SIGCONT'))])
    return { ...look, what: `SIGSTOP of ${victim.name} for ${(ms / 1_000).toFixed(1)} s`, recoverySeconds }
  }

  async function broker(): Promise<Strike> {
    const index = Math.floor(random() * brokers.count)
    const how = random() < 0.5 ? 'SIGKILL' : 'SIGTERM'
    const ms = between(0, 8_000)
    const look = await moment(fleet.running)
    const at = performance.now()
    await brokers.end(index, how)
    const recovered = async () => {
      await watch.untilMoved(allPartitions, await watch.position())
      return secondsSince(at)
    }
    const [recoverySeconds] = await Promise.all([recovered(), sleep(ms).then(() => brokers.start(index))])
    return { ...look, what: `${how} of broker ${index + 1}, away for ${(ms / 1_000).toFixed(1)} s`, recoverySeconds }
  }

  async function rebalance(): Promise<Strike> {
    if (fleet.running.length > INSTANCES) {
      const leaver = oneOf(fleet.running)
      const look = await moment([leaver])
      const at = performance.now()
      await leaver.end('SIGTERM')
      await watch.untilMoved(look.owned, await watch.position())
      return { ...look, what: `SIGTERM of ${leaver.name}`, recoverySeconds: secondsSince(at) }
    }
    const others = fleet.running
    const joiner = fleet.start()
    const answers = async () => (await joiner.look()) !== undefined
    await until(`${joiner.name} answers`, answers, { signal, deadlineMs: START_MS, everyMs: LOOK_EVERY_MS })
    // From now on it joins, until it is ready.
    const at = performance.now()
    const look = await moment(others)
    await fleet.whenReady(signal)
    await watch.untilMoved(allPartitions, await watch.position())
    return { ...look, what: `${joiner.name} joined`, recoverySeconds: secondsSince(at) }
  }

  async function registryGone(): Promise<Strike> {
    const ms = between(1_000, 5_000)
    const look = await moment(fleet.running)
    const at = performance.now()
    await registry.takeAway()
    await sleep(ms)
    await registry.giveBack()
    // What was written before under a schema that is known has come out meanwhile.
    await watch.untilMoved(allPartitions, await watch.position())
    return { ...look, what: `registry away for ${(ms / 1_000).toFixed(1)} s`, recoverySeconds: secondsSince(at) }
  }

  const strikes = { kill, stop, broker, rebalance, registry: registryGone }
  return async kind => ({ ...(await strikes[kind]()), kind })
}

/** The kinds in rounds, each round in another order: whenever it ends, each came about as often. */
export function* faultOrder(kinds: readonly FaultKind[], random: () => number): Generator<FaultKind, never> {
  for (;;) {
    const round = [...kinds]
    while (round.length > 0) yield round.splice(Math.floor(random() * round.length), 1)[0]!
  }
}
