import { once } from 'node:events'
import { openReader, type RecordReader, readableCodec } from '../check/readers.ts'
import { openLetterReader, sourceReaders } from '../dead-letters/letter-reader.ts'
import { RunInferenceError } from '../errors.ts'
import { json } from '../kafka/json-codec.ts'
import { modelTopics, shadowTopics } from '../kafka/model-topics.ts'
import { newestRanges } from '../kafka/newest-ranges.ts'
import { utf8 } from '../kafka/plain-codecs.ts'
import type { KafkaPort, ScanRange } from '../kafka/port.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { auditTopic, deadLetterTopics, parkedTopic, replayTopic } from '../kafka/topic-names.ts'
import { topicNames } from '../kafka/topics.ts'
import { suggestion } from '../nearest-name.ts'
import { systemClock } from '../ops/clock.ts'
import type { Topology } from '../topology.ts'
import { type Connected, connect, readSchema, type TopologyFlags } from './connect.ts'
import { recordAsJson, recordAsText, showRecord } from './consume-record.ts'

const LIMIT_FOR_PEOPLE = 20
const INTERRUPTED = 130

export interface ConsumeFlags extends TopologyFlags {
  readonly outputs?: boolean
  readonly deadLetters?: boolean
  readonly limit?: number | 'all'
  readonly follow?: boolean
  readonly json?: boolean
}

/** A topic and how its records are read. */
interface ConsumedTopic {
  readonly name: string
  readonly isDeadLetter: boolean
  readonly readers: readonly RecordReader[]
  readerOf(block: RecordBlock, row: number): RecordReader
}

/** Prints records of the topics; exit code 130 when it was interrupted. */
export async function consume(module: string, given: readonly string[], flags: ConsumeFlags): Promise<void> {
  const connected = await connect(module, flags)
  const interrupted = new AbortController()
  const interrupt = () => interrupted.abort()
  // Timers of ours do not keep the process alive, and a cluster that does not answer has nothing else.
  const alive = setInterval(() => {}, 60_000)
  try {
    const names = chosenTopics(connected.topology, given, flags, module)
    const topics = await openTopics(names, connected)
    process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
    // The search for a broker that does not answer knows no signal: it ends with the connections.
    const { signal } = interrupted
    await Promise.race([show(topics, connected.port, flags, signal), once(signal, 'abort')])
  } catch (error) {
    // What is being read when Ctrl-C comes says that it was ended.
    if (!interrupted.signal.aborted) throw error
  } finally {
    clearInterval(alive)
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
    await connected.close()
    if (interrupted.signal.aborted) process.exitCode = INTERRUPTED
  }
}

/** What is there topic by topic, then, with `--follow`, what comes. */
async function show(topics: readonly ConsumedTopic[], port: KafkaPort, flags: ConsumeFlags, signal: AbortSignal) {
  const toLine = flags.json === true ? recordAsJson : recordAsText
  const limit = flags.limit ?? (flags.json === true ? 'all' : LIMIT_FOR_PEOPLE)
  const byName = new Map(topics.map(topic => [topic.name, topic]))
  const print = async (ranges: readonly ScanRange[]) => {
    let printed = 0
    for await (const block of port.scan(ranges, { signal })) {
      const topic = byName.get(block.topic)!
      for (const reader of topic.readers) await reader.prepare(block)
      for (let row = 0; row < block.count && !signal.aborted; row++, printed++) {
        const record = showRecord(block, row, topic.readerOf(block, row), topic.isDeadLetter)
        // Whoever reads may be slower than Kafka.
        if (!process.stdout.write(`${toLine(record)}\n`)) await once(process.stdout, 'drain', { signal })
      }
    }
    return printed
  }
  const following: ScanRange[] = []
  for (const { name } of topics) {
    const ranges = limit === 'all' ? await allOf(name, port) : await newestRanges(name, limit, port, signal)
    const printed = await print(ranges)
    if (signal.aborted) return
    if (flags.json !== true && printed === 0) console.error(`${name}: no records`)
    if (flags.limit === undefined && printed === limit)
      console.error(`${name}: the newest ${limit}; --limit shows more`)
    following.push(...ranges.map(({ to, ...range }) => ({ ...range, from: to, to: Number.MAX_SAFE_INTEGER })))
  }
  if (flags.follow === true) await print(following)
}

async function allOf(topic: string, { admin }: KafkaPort) {
  const offsets = await admin.offsets(topic)
  return offsets.map(({ start, end }, partition) => ({ topic, partition, from: start, to: end }))
}

function chosenTopics(topology: Topology, given: readonly string[], flags: ConsumeFlags, module: string) {
  const known = topicNames(topology)
  const unknown = given.find(name => !known.includes(name))
  if (unknown !== undefined) {
    const remedy = suggestion(unknown, known)
    throw new RunInferenceError('SETTINGS_INVALID', `topic: "${unknown}" is none of ${module}. ${remedy}`)
  }
  const isDefault = given.length === 0 && flags.outputs !== true && flags.deadLetters !== true
  const outputs = flags.outputs === true || isDefault ? topology.sinks.map(({ topic }) => topic) : []
  const letters = flags.deadLetters === true || isDefault ? deadLettersOf(topology) : []
  return [...new Set([...given, ...outputs, ...letters])]
}

function deadLettersOf({ name, steps }: Topology): readonly string[] {
  return deadLetterTopics(
    name,
    steps.map(({ step }) => step),
  )
}

async function openTopics(names: readonly string[], connected: Connected): Promise<ConsumedTopic[]> {
  const { topology } = connected
  const parts = { ...connected, readSchema, clock: systemClock }
  const letters = new Set([...deadLettersOf(topology), parkedTopic(topology.name)])
  // Of replays and dead letters too: they are records of a source, with schemas of its subjects.
  const sourceReader = sourceReaders(topology, parts)
  const readerOf = (name: string): Promise<RecordReader> => {
    const isOf = ({ topic }: { topic: string }) => [topic, replayTopic(topology.applicationId, topic)].includes(name)
    const source = topology.sources.find(isOf)
    if (source !== undefined) return sourceReader(source.topic)
    const isOfOurs = name === auditTopic(topology.applicationId) || modelTopics(topology).includes(name)
    if (isOfOurs) return openReader(name, utf8(), json(), parts)
    // Its keys are those of any source.
    if (shadowTopics(topology).includes(name)) return openReader(name, undefined, json(), parts)
    const sink = topology.sinks.find(({ topic }) => topic === name)!
    return openReader(name, sink.key, readableCodec(sink), parts)
  }
  const open = async (name: string): Promise<ConsumedTopic> => {
    if (letters.has(name)) {
      return { name, isDeadLetter: true, ...(await openLetterReader(topology, sourceReader)) }
    }
    const reader = await readerOf(name)
    return { name, isDeadLetter: false, readers: [reader], readerOf: () => reader }
  }
  const topics: ConsumedTopic[] = []
  for (const name of names) topics.push(await open(name))
  return topics
}
