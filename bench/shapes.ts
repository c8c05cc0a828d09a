/**
 * What shapes of topologies cost: each beside one that differs from it in one thing, on the same records, in pairs of
 * processes. `variants/shapes-topology.ts` has them.
 */
import { join } from 'node:path'
import { deadLetterTopics } from '../src/kafka/topic-names.ts'
import { against, type Figure } from './figures.ts'
import { createTopic, type FillRecord, preload, recordsIn, tensorRows } from './input.ts'
import { SMALL_MLP, writeMlp } from './make-mlp.ts'
import { PAIRS, type Paired, runPairs } from './paired.ts'
import { MAX_BATCH, runTopology } from './pipeline.ts'
import { type Setting, type Subject, WrongOutput } from './setting.ts'
import type { Measured } from './variants/timed-port.ts'

const FILE = 'bench/variants/shapes-topology.ts'
const MODELS = 10
const RECORDS = { quick: 120_000, full: 800_000 }
/** Until V8 has compiled what runs, and models that are loaded on demand are there. */
const WARM_UP = { quick: 60_000, full: 200_000 }
const STEPS = ['a', 'b']

interface Comparison {
  readonly name: string
  readonly about: string
  readonly subject: string
  readonly against: string
  readonly target: (paired: Paired) => Partial<Figure>
}

const COMPARISONS: readonly Comparison[] = [
  {
    name: 'keyed',
    about: 'keyed(one handler) beside the same handler without keys',
    subject: 'keyed',
    against: 'unkeyed',
    target: ({ cpuRatio }) => against(cpuRatio, '<=', 1.03, ' × the processor time'),
  },
  {
    name: 'per-key',
    about: 'ten models by key, in rotation, beside one for all keys',
    subject: 'perKey',
    against: 'oneForAllKeys',
    target: ({ ratio }) => against(ratio!, '>=', 0.7),
  },
  {
    name: 'cascade',
    about: 'two models, of which every fifth record sees both, beside one',
    subject: 'cascade',
    against: 'one',
    target: ({ ratio }) => against(ratio!, '>=', 0.75),
  },
  {
    name: 'rows',
    about: 'a postprocess function beside rows that are copied as bytes',
    subject: 'rows',
    against: 'columnar',
    target: ({ moreCpuMicros }) => against(moreCpuMicros, '<=', 0.2, ' µs a record more'),
  },
]

export const shapes: readonly Subject[] = COMPARISONS.map(comparison => ({
  name: `pipeline-shapes/${comparison.name}`,
  about: comparison.about,
  run: async setting => [await compare(comparison, setting)],
}))

async function compare(comparison: Comparison, setting: Setting): Promise<Figure> {
  const { port, quick, folder, say } = setting
  const records = RECORDS[quick ? 'quick' : 'full']
  const rounds = setting.rounds ?? PAIRS[quick ? 'quick' : 'full']
  const input = `bench.shapes.${comparison.name}.in`
  const models = Array.from({ length: MODELS }, (_, i) => join(folder, `shapes-${i}.onnx`))
  for (const [seed, model] of models.entries()) writeMlp(model, SMALL_MLP, seed)
  await createTopic(port, input)
  await preload(port, input, records, rowsUnderDigits())
  const run = (shape: string) => async (round: number) => {
    const out = `bench.shapes.${comparison.name}.${shape}-${round}`
    await createTopic(port, out)
    const measured = await throughPipeline(setting, { shape, input, out, models, records })
    await requireAll(setting, out, records)
    await port.admin.deleteTopics([out])
    return measured
  }
  const { name } = comparison
  const paired = await runPairs({
    ...{ name: `pipeline-shapes/${name}`, rounds, say },
    ...{ subject: run(comparison.subject), against: run(comparison.against) },
  })
  await port.admin.deleteTopics([input])
  return { ...paired, ...comparison.target(paired) }
}

interface ShapeOrder {
  readonly shape: string
  readonly input: string
  readonly out: string
  readonly models: readonly string[]
  readonly records: number
}

function throughPipeline(setting: Setting, { shape, input, out, models, records }: ShapeOrder): Promise<Measured> {
  return runTopology(setting, {
    file: FILE,
    parameters: {
      shape,
      in: input,
      out,
      models: models.join(','),
      applicationId: out,
      maxBatch: String(MAX_BATCH),
    },
    lanes: setting.lanes,
    maxBatch: MAX_BATCH,
    until: { topic: input, records, warmUp: WARM_UP[setting.quick ? 'quick' : 'full'] },
  })
}

async function requireAll({ port }: Setting, out: string, records: number): Promise<void> {
  const count = await recordsIn(port, out)
  if (count !== records) throw new WrongOutput(`${out} has ${count} records, expected ${records}`)
  const letters = deadLetterTopics('shapes', STEPS)
  const described = await port.admin.describeTopics(letters)
  for (const [i, topic] of letters.entries()) {
    if (!described[i]) continue
    const failed = await recordsIn(port, topic)
    if (failed > 0) throw new WrongOutput(`${topic} has ${failed} records, expected none`)
  }
}

/** Rows of numbers under keys of eight digits: those of their own number. */
function rowsUnderDigits(): FillRecord {
  const fill = tensorRows(SMALL_MLP[0])
  const key = Buffer.alloc(8)
  return (record, i) => {
    fill(record, i)
    key.write(String(i).padStart(8, '0'), 'latin1')
    record.key = key
    record.keyEnd = 8
  }
}
