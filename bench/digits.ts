/** topologies/digits.ts: Avro in and out, functions before and after the model, an object per record. */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Digit } from '../schemas/types.ts'
import { avro } from '../src/kafka/avro-codec.ts'
import { createSchemaRegistry } from '../src/kafka/schema-registry.ts'
import { deadLetterTopics } from '../src/kafka/topic-names.ts'
import { registerSchemas, schemaNeeds } from '../src/kafka/topic-schemas.ts'
import { loadTopology } from '../src/topology-module.ts'
import { startVariant } from './child.ts'
import { benchLogger } from './connect.ts'
import { against, type Figure, median, round, speed } from './figures.ts'
import { createTopic, createTopicsOf, type FillRecord, preload, recordsIn } from './input.ts'
import { costOf } from './pipeline.ts'
import { type Setting, type Subject, WrongOutput } from './setting.ts'
import type { Measured } from './variants/timed-port.ts'
import type { TopologyOrder } from './variants/topology.ts'

const FILE = 'topologies/digits.ts'
const IN = 'digits.images'
const OUT = 'digits.predictions'
const TARGET = 100_000

export const digits: Subject = {
  name: 'digits',
  about: 'Avro digits through topologies/digits.ts',
  needsRegistry: true,
  async run(setting) {
    const { port, brokers, registryUrl, lanes, quick, say } = setting
    if (registryUrl === undefined) throw new Error('digits needs a schema registry')
    const records = quick ? 100_000 : 500_000
    const rounds = setting.rounds ?? (quick ? 2 : 5)
    const topology = await loadTopology(FILE)
    const readSchema = (name: string) => readFile(`schemas/${name}.avsc`, 'utf8')
    const registry = createSchemaRegistry({ url: registryUrl })
    await registerSchemas(schemaNeeds(topology), registry, readSchema)
    await createTopic(port, IN)
    const codec = avro<Digit>('digit')
    const context = { topic: IN, field: 'value', registry, readSchema, logger: benchLogger, now: () => 0 } as const
    const encoder = await codec.openEncoder(context)
    await preload(
      port,
      IN,
      records,
      digitRecords((digit, into, at) => encoder.encode(digit, into, at)),
    )

    const runs: Measured[] = []
    for (let i = 0; i < rounds; i++) {
      const applicationId = `bench-digits-${i}`
      await createTopicsOf(port, { ...topology, applicationId })
      const order: TopologyOrder = {
        brokers,
        registryUrl,
        file: FILE,
        applicationId,
        lanes,
        maxBatch: 256,
        until: { topic: IN, records },
      }
      runs.push(await startVariant<Measured>('topology', order).result)
      say(`digits round ${i + 1}/${rounds}: ${round(records / runs.at(-1)!.seconds)} records/s`)
      await requireOutputs(setting, records)
      await port.admin.deleteTopics([OUT])
    }
    await port.admin.deleteTopics([IN])
    const speeds = runs.map(({ seconds }) => records / seconds)
    const figure: Figure = {
      name: 'digits',
      ...speed(speeds),
      ...costOf(runs, records),
      records,
      rounds,
      ...against(median(speeds), '>=', TARGET),
    }
    return [figure]
  },
}

/** Every digit of the data file in turn; each is encoded once, since writing Avro is not what is measured. */
function digitRecords(encode: (digit: Digit, into: Buffer, at: number) => number): FillRecord {
  const encoded = readFileSync('data/digits-test.ndjson', 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => {
      const digit = JSON.parse(line) as Digit
      const into = Buffer.alloc(1024)
      return { key: Buffer.from(digit.id), value: into.subarray(0, encode(digit, into, 0)) }
    })
  return (record, i) => {
    const { key, value } = encoded[i % encoded.length]!
    record.key = key
    record.keyEnd = key.length
    record.value = value
    record.valueEnd = value.length
  }
}

async function requireOutputs({ port }: Setting, records: number): Promise<void> {
  const predictions = await recordsIn(port, OUT)
  if (predictions !== records) throw new WrongOutput(`${OUT} has ${predictions} records, expected ${records}`)
  for (const topic of deadLetterTopics('digits', ['classify'])) {
    const letters = await recordsIn(port, topic)
    if (letters > 0) throw new WrongOutput(`${topic} has ${letters} records, expected none`)
  }
}
