/** Codecs and the registry: every schema file, its version there, and whether what is there can be read. */

import { isCodec } from '../codec-problems.ts'
import { RunInferenceError } from '../errors.ts'
import type {
  Codec,
  Decoder,
  Encoder,
  RecordField,
  RowDecoder,
  SchemaName,
  SchemaRegistryPort,
} from '../kafka/codec.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { schemaPath } from '../kafka/schema-files.ts'
import { subjectOf } from '../kafka/topic-names.ts'
import { SCHEMA_PREFIX_BYTES } from '../kafka/wire-format.ts'
import { codecContext } from '../pipeline/open-graph.ts'
import type { Topology } from '../topology.ts'
import { applyCommand } from './apply-command.ts'
import type { CheckParts } from './check.ts'
import type { Findings, SchemaReport } from './report.ts'

/** A codec where it is used. */
interface Use {
  readonly topic: string
  readonly field: RecordField
  /** Undefined: the codec is only written with, or only read with. */
  readonly decoder: Decoder<unknown> | undefined
  readonly encoder: Encoder<never> | undefined
  readonly schemas: readonly SchemaName[]
}

export async function checkSchemas(topology: Topology, parts: CheckParts, findings: Findings): Promise<SchemaReport[]> {
  const uses = usesOf(topology)
  if (parts.registry === undefined && uses.some(({ schemas }) => schemas.length > 0)) {
    findings.problem('schemas', 'SETTINGS_INVALID', {
      where: 'registryUrl',
      what: 'codecs of this topology need a schema registry, and none is configured',
      expected: 'the URL of a Confluent-compatible registry',
      got: 'nothing',
      remedy: 'Set --registry-url or KRI_REGISTRY_URL; for one on this machine: kri cluster up',
    })
    return []
  }
  return (await Promise.all(uses.map(use => checkUse(use, parts, findings)))).flat()
}

/** What is no codec is a problem of the graph. */
function usesOf({ sources, sinks }: Topology): Use[] {
  const read = sources.flatMap(({ topic, key, value }) =>
    [['key', key] as const, ['value', value] as const].flatMap(([field, decoder]) =>
      decoder !== undefined && isCodec(decoder, 'openDecoder')
        ? [{ topic, field, decoder, encoder: undefined, schemas: decoder.schemas ?? [] }]
        : [],
    ),
  )
  const written = sinks.flatMap(({ topic, key, value }) =>
    [['key', key] as const, ['value', value] as const].flatMap(([field, encoder]) =>
      encoder !== undefined && isCodec(encoder, 'openEncoder')
        ? [{ topic, field, decoder: undefined, encoder, schemas: encoder.schemas ?? [] }]
        : [],
    ),
  )
  return [...read, ...written]
}

async function checkUse(use: Use, parts: CheckParts, findings: Findings): Promise<SchemaReport[]> {
  const { topic, field, decoder, encoder, schemas } = use
  const where = `${field}s of topic "${topic}", codec ${(decoder ?? encoder)!.label}`
  const context = codecContext(parts, topic, field)
  const reports: SchemaReport[] = []
  try {
    // What these find explains why the codec cannot be opened, and what is in the way besides.
    for (const schema of schemas) reports.push(await checkSchema(schema, use, where, parts, findings))
    if (reports.some(({ ok }) => !ok)) return reports
    await encoder?.openEncoder(context)
    const opened = await decoder?.openDecoder(context)
    if (opened === undefined) return reports
    const reading = { decoder: opened, registry: parts.registry!, apply: applyCommand(parts.moduleArguments) }
    return await Promise.all(reports.map(report => checkReading(report, use, where, reading, findings)))
  } catch (error) {
    const remedy =
      error instanceof RunInferenceError && error.retriable
        ? 'Start the registry, or correct --registry-url; kri check --offline does without'
        : 'Correct the schema file or the codec'
    findings.thrown('schemas', error, where, remedy)
    return reports.map(report => ({ ...report, ok: false }))
  }
}

/** What is written must be registered; what is read may have been written with other versions. */
async function checkSchema(
  { name, type }: SchemaName,
  use: Use,
  where: string,
  parts: CheckParts,
  findings: Findings,
): Promise<SchemaReport> {
  const { topic, field, encoder } = use
  const { port, registry, readSchema } = parts
  const subject = subjectOf(topic, field)
  const file = schemaPath(name, type)
  const text = await readSchema(name, type)
  const id = (await registry!.lookup(subject, text, type)) ?? null
  // Offline, ids are those of a registry in memory.
  const report = { subject, schema: name, id: port === undefined ? null : id }
  if (id !== null || encoder === undefined) return { ...report, ok: true }
  const reasons = await registry!.incompatibilities(subject, text, type)
  if (reasons.length === 0) {
    findings.problem('schemas', 'REGISTRY_REFUSED', {
      where,
      what: `subject ${subject} has no version that is ${file}`,
      expected: 'this very schema registered there',
      got: 'other versions or none; this one would be compatible',
      remedy: `${applyCommand(parts.moduleArguments)} --schemas`,
    })
  } else {
    findings.problem('schemas', 'REGISTRY_REFUSED', {
      where,
      what: `${file} changed in a way that subject ${subject} does not take`,
      expected: 'a schema that is compatible with the latest version there',
      got: [...reasons, ...(await ownReason(use, subject, parts))].join('; '),
      remedy: 'Give new fields defaults and keep the types of old ones, or write to a new topic',
    })
  }
  return { ...report, ok: false }
}

/** Registries may leave the reason out; the codec, which can read too, knows it. */
async function ownReason({ encoder, topic, field }: Use, subject: string, parts: CheckParts): Promise<string[]> {
  const latest = await latestOf(subject, parts.registry!)
  if (latest === undefined || !(encoder && 'openDecoder' in encoder)) return []
  const decoder = await (encoder as Codec<unknown>).openDecoder(codecContext(parts, topic, field))
  const reason = await whyUnreadable(decoder, topic, latest.id)
  return reason === undefined ? [] : [reason]
}

interface Reading {
  readonly decoder: RowDecoder<unknown>
  readonly registry: SchemaRegistryPort
  /** The command that registers schemas. */
  readonly apply: string
}

/** Whether records of the latest version in the registry can be read. */
async function checkReading(
  report: SchemaReport,
  use: Use,
  where: string,
  { decoder, registry, apply }: Reading,
  findings: Findings,
): Promise<SchemaReport> {
  const { subject, schema } = report
  const latest = await latestOf(subject, registry)
  if (latest === undefined) {
    findings.warning('schemas', {
      where,
      what: `the registry has no subject ${subject}: nobody has written such ${use.field}s yet, or with another naming`,
      remedy: `${apply} --schemas registers it for producers`,
    })
    return report
  }
  const reason = await whyUnreadable(decoder, use.topic, latest.id)
  if (reason === undefined) return report
  findings.problem('schemas', 'DECODE_SCHEMA', {
    where,
    what: `records of the latest version of subject ${subject} cannot be read with the schema ${schema} of this project`,
    expected: 'a schema onto which that version can be resolved',
    got: reason,
    remedy: 'Give new fields defaults, and keep names and types of old ones',
  })
  return { ...report, ok: false }
}

/** Undefined: nothing was ever registered there. */
async function latestOf(subject: string, registry: SchemaRegistryPort): Promise<{ readonly id: number } | undefined> {
  try {
    return await registry.latest(subject)
  } catch (error) {
    if (error instanceof RunInferenceError && error.code === 'REGISTRY_REFUSED') return undefined
    throw error
  }
}

/** Why values of a writer's schema cannot be read, as the engine finds out with the first of them; undefined: they can. */
async function whyUnreadable(decoder: RowDecoder<unknown>, topic: string, id: number): Promise<string | undefined> {
  const block = blockOf(topic, id)
  await decoder.prepare?.(block)
  try {
    decoder.decode(block.bytes, 0, block.bytes.length)
  } catch (error) {
    // Other errors are of the value, which is empty.
    if (error instanceof RunInferenceError && error.code === 'DECODE_SCHEMA')
      return error.message.replace(/^\[\w+\] /, '')
  }
  return undefined
}

/** One record that has this schema id and nothing behind it, as key and value. */
function blockOf(topic: string, schemaId: number): RecordBlock {
  const bytes = Buffer.alloc(SCHEMA_PREFIX_BYTES)
  bytes.writeInt32BE(schemaId, 1)
  const start = () => 0
  const end = () => bytes.length
  return {
    topic,
    partition: 0,
    count: 1,
    bytes,
    nextOffset: 1,
    endOffset: 1,
    retainedBytes: bytes.length,
    offset: start,
    timestamp: start,
    keyStart: start,
    keyEnd: end,
    valueStart: start,
    valueEnd: end,
    headerCount: start,
    headersStart: start,
    headersEnd: start,
    key: () => bytes,
    value: () => bytes,
    headers: () => [],
  }
}
