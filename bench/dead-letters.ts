/** Operators' commands on a million dead letters, each a process of its own: how long, and how much memory at most. */
import { join } from 'node:path'
import { topicNames } from '../src/kafka/topics.ts'
import { loadTopology } from '../src/topology-module.ts'
import { createQuietWaits } from './conditions.ts'
import { REASONS, writeDeadLetters } from './failed-letters.ts'
import { against, type Figure, median, rangeOf, round } from './figures.ts'
import { createTopic, createTopicsOf, tensorRows } from './input.ts'
import { build, fromSources } from './kri.ts'
import { measureReplays } from './letter-replays.ts'
import { type CommandRun, measured } from './measured-command.ts'
import { type Subject, WrongOutput } from './setting.ts'

const STEP = 'infer'
const NAME = 'raw-tensors'
const WIDTH = 64
const APPLICATION = 'bench-letters'
const SOURCE = 'bench.letters.in'
const STATS_SECONDS = 30
const MOST_MIB = 300

export const deadLetters: Subject = {
  name: 'dead-letters',
  about: 'kri dlq stats and kri dlq replay on a million dead letters: time and peak memory',
  async run(setting) {
    const { port, brokers, folder, quick, say } = setting
    const records = quick ? 100_000 : 1_000_000
    const rounds = setting.rounds ?? (quick ? 1 : 3)
    const parameters = { in: SOURCE, out: 'bench.letters.out', model: 'none.onnx', width: String(WIDTH) }
    const program = build(join(folder, 'letters-built'))
    const module = program.topology(NAME)
    const given = { ...parameters, applicationId: APPLICATION }
    const topology = await loadTopology(fromSources.topology(NAME), given)
    await createTopic(port, SOURCE)
    await createTopicsOf(port, topology)
    say(`dead-letters: writing ${records.toLocaleString('en')}`)
    const fill = tensorRows(WIDTH)
    await writeDeadLetters({
      port,
      applicationId: APPLICATION,
      topology: NAME,
      step: STEP,
      source: SOURCE,
      fill,
      records,
    })
    const flags = [
      `--brokers=${brokers.join()}`,
      ...Object.entries(given).map(([name, value]) => `--param=${name}=${value}`),
    ]
    const quiet = createQuietWaits(quick)
    const runs: CommandRun[] = []
    for (let i = 0; i < rounds; i++) {
      await quiet.wait()
      const run = await measured(setting, program, ['dlq', 'stats', module, ...flags, '--json'])
      const { count, groups } = JSON.parse(run.output) as { count: number; groups: readonly unknown[] }
      if (count !== records || groups.length !== REASONS.length)
        throw new WrongOutput(`dlq stats counts ${count} dead letters of ${groups.length} reasons`)
      runs.push(run)
      say(`dead-letters stats ${i + 1}/${rounds}: ${run.seconds} s, ${Math.round(run.peakMiB)} MiB`)
    }
    const figures = statsFigures(runs, records, quiet.disturbed())
    const order = { program, module, flags, records, rounds, applicationId: APPLICATION, source: SOURCE }
    figures.push(...(await measureReplays(setting, order)))
    await port.admin.deleteTopics(topicNames(topology))
    return figures
  },
}

function statsFigures(runs: readonly CommandRun[], records: number, disturbed: number): Figure[] {
  const seconds = runs.map(run => run.seconds)
  const peakMiB = round(Math.max(...runs.map(run => run.peakMiB)))
  return [
    {
      name: 'dead-letters/stats',
      ...{ recordsPerSecond: round(records / median(seconds)), records, reasons: REASONS.length, disturbed },
      ...{ seconds: round(median(seconds)), secondsRange: rangeOf(seconds).map(round).join(' – ') },
      cpuSeconds: round(median(runs.map(run => run.cpuSeconds))),
      ...against(median(seconds), '<=', STATS_SECONDS, ' s'),
    },
    { name: 'dead-letters/stats-memory', peakMiB, ...against(peakMiB, '<=', MOST_MIB, ' MiB') },
  ]
}
