// Each fault does what chaos/README.md says of it, to one whom the seed names, and is over when something new has come out.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createFaults, type FaultKind, type FaultOptions, INSTANCES } from '../../chaos/faults.ts'
import type { Fleet, Instance, Look } from '../../chaos/fleet.ts'
import type { Partition, Position } from '../../chaos/watch.ts'
import { createRandom } from '../../src/testing/random.ts'

const SESSION_MS = 6_000
/** Between two looks for a good moment. */
const LOOK_EVERY_MS = 20
const ALL: readonly Partition[] = [
  { topic: 't.in', partition: 0 },
  { topic: 't.between', partition: 0 },
]

interface World {
  /** What was done, in order; with times where they matter. */
  readonly deeds: string[]
  readonly options: FaultOptions
  readonly running: Instance[]
}

/** Instances, brokers, a registry and a watch that write down what is done to them. Sleeping takes no time. */
function world(
  seed: number,
  changes: { readonly looks?: readonly Partial<Look>[]; readonly isStrict?: boolean } = {},
): World {
  const deeds: string[] = []
  const looks = [...(changes.looks ?? [])]
  const running: Instance[] = []
  const start = (): Instance => {
    const name = `instance-${running.length + 1}`
    const end = async (signal: string) => {
      deeds.push(`${signal} ${name}`)
      running.splice(running.indexOf(instance), 1)
    }
    const look = async () => {
      const seen = looks.length > 1 ? looks.shift() : looks[0]
      return { rowsInFlight: 5, openTransactions: 1, owned: [ALL[0]!], ...seen }
    }
    const signal = (which: string) => void deeds.push(`${which} ${name}`)
    const instance = {
      ...{ name, isRunning: true, look, signal, end },
      isReady: async () => true,
    } as unknown as Instance
    running.push(instance)
    return instance
  }
  for (let i = 0; i < INSTANCES; i++) start()
  const fleet = {
    running,
    start() {
      deeds.push('start')
      return start()
    },
    whenReady: async () => void deeds.push('all are ready'),
  } as unknown as Fleet
  const options: FaultOptions = {
    fleet,
    watch: {
      async position() {
        deeds.push('position')
        return { input: [1], between: [1] } satisfies Position
      },
      untilMoved: async partitions => void deeds.push(`moved: ${partitions.map(({ topic }) => topic)}`),
      progress: assert.fail,
      untilLag: assert.fail,
      untilDrained: assert.fail,
    },
    brokers: {
      count: 3,
      end: async (index, how) => void deeds.push(`${how} broker ${index}`),
      start: async index => void deeds.push(`start broker ${index}`),
    },
    registry: {
      takeAway: async () => void deeds.push('registry away'),
      giveBack: async () => void deeds.push('registry back'),
    },
    ...{ allPartitions: ALL, sessionTimeoutMs: SESSION_MS, stopBeyondMs: [1_500, 5_000], random: createRandom(seed) },
    hasTransactions: changes.isStrict ?? false,
    sleep: async ms => void (ms !== LOOK_EVERY_MS && deeds.push(`sleep ${ms}`)),
    signal: new AbortController().signal,
  }
  return { deeds, options, running }
}

/** Without how long was slept. */
const shown = ({ deeds }: World) => deeds.map(deed => deed.replace(/^sleep .*/, 'sleep'))
const slept = ({ deeds }: World) => deeds.filter(deed => deed.startsWith('sleep')).map(deed => Number(deed.slice(6)))

async function struck(kind: FaultKind, seed = 3) {
  const made = world(seed)
  const fault = await createFaults(made.options)(kind)
  return { ...made, fault, shown: shown(made), slept: slept(made) }
}

describe('a fault', () => {
  it('kill: one is killed, another one starts, and what it had moves on', async () => {
    const { shown: deeds, fault, running } = await struck('kill')
    const [killed, ...rest] = deeds
    assert.match(killed!, /^SIGKILL instance-[123]$/)
    assert.deepEqual(rest, ['position', 'sleep', 'start', 'moved: t.in'])
    assert.equal(running.length, INSTANCES)
    assert.deepEqual([fault.kind, fault.rowsInFlight, fault.openTransactions], ['kill', 5, 1])
  })

  it('stop: one is stopped for longer than its session, and wakes up', async () => {
    for (const seed of [1, 2, 3]) {
      const { deeds, slept: times } = await struck('stop', seed)
      const name = /^SIGSTOP (instance-[123])$/.exec(deeds[0]!)![1]
      assert.ok(deeds.includes(`SIGCONT ${name}`) && deeds.includes('moved: t.in'), deeds.join())
      assert.ok(times.length === 1 && times[0]! >= SESSION_MS + 1_500 && times[0]! <= SESSION_MS + 5_000, times.join())
      assert.ok(deeds.indexOf(`SIGCONT ${name}`) > deeds.indexOf(`sleep ${times[0]}`))
    }
  })

  it('stop: it wakes up also when nothing has come out', async () => {
    const { deeds, options } = world(3)
    const watch = { ...options.watch, untilMoved: () => Promise.reject(new Error('not within 120 s')) }
    await assert.rejects(createFaults({ ...options, watch })('stop'), /not within/)
    assert.ok(deeds.some(deed => deed.startsWith('SIGCONT')))
  })

  it('broker: one ends, and comes back; what counts is what comes out after its end', async () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 20; seed++) {
      const { deeds } = await struck('broker', seed)
      const [, how, index] = /^(SIGKILL|SIGTERM) broker ([012])$/.exec(deeds[0]!)!
      seen.add(how!).add(index!)
      assert.deepEqual(
        deeds.filter(deed => !deed.startsWith('sleep')).toSorted(),
        [deeds[0]!, `start broker ${index}`, 'moved: t.in,t.between', 'position'].toSorted(),
      )
      assert.ok(deeds.indexOf('position') > 0)
    }
    assert.deepEqual([...seen].toSorted(), ['0', '1', '2', 'SIGKILL', 'SIGTERM'])
  })

  it('rebalance: a fourth joins, then one of the four leaves', async () => {
    const made = world(3)
    const strike = createFaults(made.options)
    await strike('rebalance')
    assert.deepEqual(shown(made), ['start', 'all are ready', 'position', 'moved: t.in,t.between'])
    assert.equal(made.running.length, INSTANCES + 1)
    made.deeds.length = 0
    await strike('rebalance')
    assert.match(made.deeds[0]!, /^SIGTERM instance-[1234]$/)
    assert.deepEqual(made.deeds.slice(1), ['position', 'moved: t.in'])
    assert.equal(made.running.length, INSTANCES)
  })

  it('registry: it is away for a while; what counts is what comes out when it is back', async () => {
    const { shown: deeds, slept: times } = await struck('registry')
    assert.deepEqual(deeds, ['registry away', 'sleep', 'registry back', 'position', 'moved: t.in,t.between'])
    assert.ok(times[0]! >= 1_000 && times[0]! <= 5_000)
  })

  it('waits until rows are in flight, and a transaction is open where there are any', async () => {
    const looks = [{ rowsInFlight: 0 }, { openTransactions: 0 }, { rowsInFlight: 7 }]
    const strike = (isStrict: boolean) => createFaults(world(3, { looks, isStrict }).options)('kill')
    assert.deepEqual((await strike(true)).rowsInFlight, 7)
    assert.deepEqual((await strike(false)).rowsInFlight, 5)
  })

  it('does the same for the same seed', async () => {
    const kinds = ['kill', 'broker', 'stop', 'rebalance', 'registry', 'broker'] as const
    const course = async (seed: number) => {
      const { deeds, options } = world(seed)
      const strike = createFaults(options)
      for (const kind of kinds) await strike(kind)
      return deeds
    }
    assert.deepEqual(await course(4), await course(4))
    assert.notDeepEqual(await course(4), await course(5))
  })
})
