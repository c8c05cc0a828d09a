/**
 * `kri run --workers 2` beside one process, as an operator starts them: the command on a preloaded topic until its end, each
 * with the lanes that it takes by itself, in turn, in a fresh group, into a fresh topic.
 */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { lanesPerWorker } from '../src/cli/worker-process.ts'
import { loadTopology } from '../src/topology-module.ts'
import { createQuietWaits, DEFAULT_LANES } from './conditions.ts'
import { type Figure, median, ratioTo, round, speed } from './figures.ts'
import { growthPerSecond, sampleUntil } from './growth.ts'
import { createTopic, createTopicsOf, preload, recordsIn, tensorRows } from './input.ts'
import { fromSources, startKri } from './kri.ts'
import { MID_MLP, SMALL_MLP, writeMlp } from './make-mlp.ts'
import { pair } from './pair.ts'
import { MAX_BATCH, requireNoDeadLetters } from './pipeline.ts'
import { type Setting, type Subject, WrongOutput } from './setting.ts'

const SIZES = [
  { name: 'small', widths: SMALL_MLP, records: { quick: 300_000, full: 2_000_000 } },
  { name: 'mid', widths: MID_MLP, records: { quick: 30_000, full: 200_000 } },
] as const
const TOPOLOGY = fromSources.topology('raw-tensors')

export const workers: Subject = {
  name: 'workers',
  about: 'kri run --workers 2 against one process, until the end of a topic',
  async run(setting) {
    const figures: Figure[] = []
    for (const size of SIZES) figures.push(await measure(size, setting))
    return figures
  },
}

interface Run {
  readonly recordsPerSecond: number
  /** Of the whole command, with start and end. */
  readonly seconds: number
  /** Records that came out more than once: those in flight at a rebalance may. */
  readonly again: number
}

async function measure({ name, widths, records: sizes }: (typeof SIZES)[number], setting: Setting): Promise<Figure> {
  const { port, quick, folder, say } = setting
  const records = sizes[quick ? 'quick' : 'full']
  const rounds = setting.rounds ?? (quick ? 2 : 6)
  const input = `bench.workers-${name}.in`
  const model = join(folder, `workers-${name}.onnx`)
  writeMlp(model, widths)
  await createTopic(port, input)
  say(`workers/${name}: writing ${records.toLocaleString('en')} records`)
  await preload(port, input, records, tensorRows(widths[0]))
  const quiet = createQuietWaits(quick)
  const runWith = (count: number, id: string) => async () => {
    await quiet.wait()
    return runUntilEnd(setting, {
      workers: count,
      records,
      parameters: {
        in: input,
        out: `bench.workers-${name}.out-${id}-${count}`,
        model,
        width: String(widths[0]),
        applicationId: `bench-workers-${name}-${id}-${count}`,
        maxBatch: String(MAX_BATCH),
        provenance: String(setting.provenance),
      },
    })
  }
  await runWith(2, 'warm-up')()
  const one: Run[] = []
  const two: Run[] = []
  for (let i = 0; i < rounds; i++) {
    const [a, b] = await pair(i, runWith(1, String(i)), runWith(2, String(i)))
    one.push(a)
    two.push(b)
    say(
      `workers/${name} round ${i + 1}/${rounds}: one ${round(a.recordsPerSecond)}, two ${round(b.recordsPerSecond)} records/s`,
    )
  }
  await port.admin.deleteTopics([input])
  const speeds = (runs: readonly Run[]) => runs.map(({ recordsPerSecond }) => recordsPerSecond)
  const seconds = (runs: readonly Run[]) => round(median(runs.map(run => run.seconds)))
  const cores = availableParallelism()
  return {
    name: `workers/${name}`,
    ...speed(speeds(two)),
    ...ratioTo(speeds(two), speeds(one)),
    onePerSecond: speed(speeds(one)).recordsPerSecond,
    commandSeconds: seconds(two),
    oneCommandSeconds: seconds(one),
    again: median(two.map(run => run.again)),
    cores,
    lanes: `2 x ${lanesPerWorker(cores, 2)} against 1 x ${DEFAULT_LANES}`,
    records,
    rounds,
    disturbed: quiet.disturbed(),
  }
}

interface Order {
  readonly workers: number
  readonly records: number
  readonly parameters: Readonly<Record<string, string>> & { readonly out: string }
}

async function runUntilEnd(setting: Setting, { workers, records, parameters }: Order): Promise<Run> {
  const { port, brokers, folder } = setting
  const { out } = parameters
  await createTopic(port, out)
  await createTopicsOf(port, await loadTopology(TOPOLOGY, parameters))
  const flags = ['--until-end', '--json', '--http-port=off', '--log-level=warn', `--brokers=${brokers.join()}`]
  const values = Object.entries(parameters).map(([name, value]) => `--param=${name}=${value}`)
  const kri = startKri(
    fromSources,
    ['run', TOPOLOGY, `--workers=${workers}`, ...flags, ...values],
    join(folder, 'compiled'),
  )
  const samples = await sampleUntil(kri.ended, () => recordsIn(port, out))
  const { output, seconds } = await kri.ended
  const { reachedEnd } = JSON.parse(output) as { readonly reachedEnd: boolean }
  const count = await recordsIn(port, out)
  if (!reachedEnd || count < records)
    throw new WrongOutput(`${workers} workers wrote ${count} records of ${records}, reachedEnd: ${reachedEnd}`)
  await requireNoDeadLetters(setting)
  await port.admin.deleteTopics([out])
  return { recordsPerSecond: growthPerSecond(samples), seconds, again: count - records }
}
