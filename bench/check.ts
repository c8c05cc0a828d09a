/** How long `kri check topologies/digits.ts` takes with the cluster up, topics and schemas applied, and records to try. */
import { join } from 'node:path'
import type { CheckReport } from '../src/check/report.ts'
import { topicNames } from '../src/kafka/topics.ts'
import { loadTopology } from '../src/topology-module.ts'
import { createQuietWaits } from './conditions.ts'
import { against, median, rangeOf, round } from './figures.ts'
import { PLAIN_SHAPE } from './input.ts'
import { build, fromSources, type Program, startKri } from './kri.ts'
import { pair } from './pair.ts'
import { type Subject, WrongOutput } from './setting.ts'

const SOURCE = 'digits.images'
const TARGET_SECONDS = 5

interface Check {
  /** Of the process, and of the check within it. */
  readonly seconds: number
  readonly ownSeconds: number
}

export const check: Subject = {
  name: 'check',
  about: 'kri check topologies/digits.ts with the cluster up',
  needsRegistry: true,
  async run({ port, brokers, registryUrl, folder, quick, rounds = quick ? 2 : 10, say }) {
    const topology = await loadTopology(fromSources.topology('digits'))
    // They are removed in the end, which must not happen to somebody's own.
    if ((await port.admin.describeTopics([SOURCE])).length > 0)
      throw new Error(`the cluster has a topic ${SOURCE} already`)
    const connection = [`--brokers=${brokers.join()}`, `--registry-url=${registryUrl}`]
    const kri = async (program: Program, [command, ...args]: readonly string[]) => {
      const module = program.topology('digits')
      const compileCache = join(folder, `check-compiled-${program.name}`)
      return startKri(program, [...command!.split(' '), module, ...connection, ...args], compileCache).ended
    }
    await kri(fromSources, ['topics apply', '--schemas', `--partitions=${PLAIN_SHAPE.partitions}`])
    await kri(fromSources, ['produce', '--file=data/digits-test.ndjson', '--key-field=id'])
    const quiet = createQuietWaits(quick)
    const timeCheck = (program: Program) => async (): Promise<Check> => {
      await quiet.wait()
      const { output, seconds } = await kri(program, ['check', '--json'])
      const report = JSON.parse(output) as CheckReport
      if (!report.ok || report.examples[0]?.from !== 'topic')
        throw new WrongOutput(`check has found problems, or did not try records of the cluster: ${output}`)
      return { seconds, ownSeconds: report.seconds }
    }
    const programs = [fromSources, build(join(folder, 'check-built'))] as const
    for (const program of programs) await timeCheck(program)()
    const sources: Check[] = []
    const built: Check[] = []
    for (let i = 0; i < rounds; i++) {
      const [a, b] = await pair(i, timeCheck(programs[0]), timeCheck(programs[1]))
      sources.push(a)
      built.push(b)
      say(`check ${i + 1}/${rounds}: sources ${a.seconds} s, built ${b.seconds} s`)
    }
    await port.admin.deleteTopics(topicNames(topology))
    const disturbed = quiet.disturbed()
    return [report('check/sources', sources, disturbed), report('check/built', built, disturbed)]
  },
}

function report(name: string, checks: readonly Check[], disturbed: number) {
  const seconds = checks.map(each => each.seconds)
  return {
    name,
    seconds: round(median(seconds)),
    secondsRange: rangeOf(seconds).map(round).join(' – '),
    ownSeconds: round(median(checks.map(each => each.ownSeconds))),
    checks: checks.length,
    disturbed,
    ...against(median(seconds), '<=', TARGET_SECONDS, ' s'),
  }
}
