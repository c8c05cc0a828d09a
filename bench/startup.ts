/**
 * How long `kri run` takes from its start as a process to the first 200 of /readyz, with the cluster up and a model of 1 MB:
 * from the sources, built, and built without what Node keeps of an earlier start (as in a container, where nothing is kept).
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { loadTopology } from '../src/topology-module.ts'
import { createQuietWaits } from './conditions.ts'
import { against, type Figure, median, rangeOf, round } from './figures.ts'
import { createTopic, createTopicsOf } from './input.ts'
import { build, fromSources, type Kri, type Program, startKri } from './kri.ts'
import { writeMlp } from './make-mlp.ts'
import { untilReady } from './ready.ts'
import type { Subject } from './setting.ts'
import { type StartupPhases, startupPhases } from './startup-phases.ts'

/** 265 k weights: 1.06 MB. */
const ONE_MB_MLP = [256, 512, 256, 10] as const
const TARGET_SECONDS = 3

export const startup: Subject = {
  name: 'startup',
  about: 'kri run from its start to ready, with the cluster up and a model of 1 MB',
  async run({ port, brokers, folder, quick, rounds = quick ? 3 : 11, say }) {
    const model = join(folder, 'startup.onnx')
    writeMlp(model, ONE_MB_MLP)
    const parameters = {
      in: 'bench.startup.in',
      out: 'bench.startup.out',
      model,
      width: String(ONE_MB_MLP[0]),
      applicationId: 'bench-startup',
    }
    await createTopic(port, parameters.in)
    await createTopicsOf(port, await loadTopology(fromSources.topology('raw-tensors'), parameters))
    const built = build(join(folder, 'startup-built'))
    const flags = [`--brokers=${brokers.join()}`, '--http-port=0', '--log-level=info']
    const values = Object.entries(parameters).map(([name, value]) => `--param=${name}=${value}`)
    const quiet = createQuietWaits(quick)
    const start = async (program: Program, compileCache: string) => {
      await quiet.wait()
      return timeStart(startKri(program, ['run', program.topology('raw-tensors'), ...flags, ...values], compileCache))
    }
    const kept = (program: Program) => () => start(program, join(folder, `startup-compiled-${program.name}`))
    let fresh = 0
    const kinds = {
      'startup/sources': kept(fromSources),
      'startup/built': kept(built),
      'startup/built-first': () => start(built, join(folder, `startup-compiled-${fresh++}`)),
    }
    // What is kept of a first start, on the brokers too (the group), is there afterwards.
    for (const startOnce of Object.values(kinds)) await startOnce()
    const starts = Object.keys(kinds).map((name): { name: string; found: Start[] } => ({ name, found: [] }))
    for (let i = 0; i < rounds; i++) {
      for (const { name, found } of i % 2 === 0 ? starts : starts.toReversed()) {
        found.push(await kinds[name as keyof typeof kinds]())
        say(`${name} ${i + 1}/${rounds}: ${found.at(-1)!.seconds} s`)
      }
    }
    await port.admin.deleteTopics([parameters.in, parameters.out])
    const bareNodeMs = round(median(Array.from({ length: rounds }, timeBareNode)))
    const facts = { bareNodeMs, disturbed: quiet.disturbed() }
    return starts.map(({ name, found }) => report(name, found, facts))
  },
}

interface Start {
  readonly seconds: number
  readonly phases: StartupPhases
}

async function timeStart(kri: Kri): Promise<Start> {
  const { readyAt } = await untilReady(kri)
  kri.child.kill('SIGTERM')
  await kri.ended
  return { seconds: (readyAt - kri.startedAt) / 1000, phases: startupPhases(kri.log(), kri.startedAt, readyAt) }
}

/** What no program in Node can be faster than. */
function timeBareNode(): number {
  const startedAt = performance.now()
  spawnSync(process.execPath, ['--eval', ''])
  return performance.now() - startedAt
}

function report(name: string, starts: readonly Start[], facts: object): Figure {
  const seconds = starts.map(start => start.seconds)
  const phases = Object.keys(starts[0]!.phases) as (keyof StartupPhases)[]
  return {
    name,
    seconds: round(median(seconds)),
    secondsRange: rangeOf(seconds).map(round).join(' – '),
    ...Object.fromEntries(phases.map(phase => [phase, round(median(starts.map(start => start.phases[phase])))])),
    starts: starts.length,
    ...facts,
    ...against(median(seconds), '<=', TARGET_SECONDS, ' s'),
  }
}
