import { once } from 'node:events'
import { createReadStream, type ReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { RunInferenceError } from '../errors.ts'
import type { KafkaWriter } from '../kafka/port.ts'
import { systemClock } from '../ops/clock.ts'
import { createEchoFilter, killThisProcess } from '../ops/lifecycle.ts'
import { connect, readSchema, type TopologyFlags } from './connect.ts'
import { encodeLine, type LineEncoder, openLineEncoder } from './produce-lines.ts'
import { type LineRecord, type Refusal, sendRecords } from './produce-records.ts'
import { sourceOf } from './produce-source.ts'
import { createProgress, type Progress } from './progress.ts'

const CHUNK_RECORDS = 2_000
const CHUNK_BYTES = 4 * 1024 * 1024
/** After Ctrl-C: how long the broker may take to answer for what is on its way. */
const LAST_ANSWER_MS = 5_000
const SHOWN_PROBLEMS = 20

export interface ProduceFlags extends TopologyFlags {
  readonly source?: string
  readonly file?: string
  readonly keyField?: string
  /** Records per second. */
  readonly rate?: number
  readonly json?: boolean
}

/** Sends NDJSON through the codec of a source topic. Exit code 1 when a line was bad, 130 when it was interrupted. */
export async function produce(module: string, flags: ProduceFlags): Promise<void> {
  const connected = await connect(module, flags)
  const interrupted = new AbortController()
  const isEcho = createEchoFilter(systemClock)
  const interrupt = (signal: NodeJS.Signals) => {
    if (isEcho(signal)) return
    if (interrupted.signal.aborted) killThisProcess()
    interrupted.abort()
  }
  const progress = createProgress()
  const writer = connected.port.writer()
  let file: InputFile | undefined
  try {
    if (flags.file !== undefined) file = await openFile(flags.file)
    const source = sourceOf(connected.topology, flags.source, module)
    const { partitions } = await writer.topic(source.topic)
    const encoder = await openLineEncoder(source, flags.keyField, { ...connected, readSchema, clock: systemClock })
    // Until now nothing is lost when the process just ends.
    process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
    const production = new Production(writer, { name: source.topic, partitions }, progress, flags, interrupted.signal)
    await production.run(encoder, file)
    progress.clear()
    report(production, source.topic, flags.json === true)
    if (production.bad > 0) process.exitCode = 1
    if (interrupted.signal.aborted) process.exitCode = 130
  } finally {
    progress.clear()
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
    file?.stream.destroy()
    await writer.close()
    await connected.close()
  }
}

interface InputFile {
  readonly stream: ReadStream
  readonly bytes: number
}

async function openFile(path: string): Promise<InputFile> {
  try {
    const found = await stat(path)
    if (found.isDirectory()) throw new Error('expected a file of NDJSON, got a folder')
    const stream = createReadStream(path)
    await once(stream, 'open')
    return { stream, bytes: found.size }
  } catch (error) {
    throw RunInferenceError.from(error, 'SETTINGS_INVALID', `--file: cannot read ${path}`)
  }
}

class Production {
  acknowledged = 0
  bad = 0
  /** Sent, and interrupted before the broker answered. */
  unknown = 0
  readonly #writer: KafkaWriter
  readonly #topic: { readonly name: string; readonly partitions: number }
  readonly #progress: Progress
  readonly #flags: ProduceFlags
  readonly #signal: AbortSignal
  readonly #startedAt = performance.now()

  constructor(
    writer: KafkaWriter,
    topic: { readonly name: string; readonly partitions: number },
    progress: Progress,
    flags: ProduceFlags,
    signal: AbortSignal,
  ) {
    this.#writer = writer
    this.#topic = topic
    this.#progress = progress
    this.#flags = flags
    this.#signal = signal
  }

  get seconds(): number {
    return (performance.now() - this.#startedAt) / 1000
  }

  /** Without a file from standard input. */
  async run(encoder: LineEncoder, file: InputFile | undefined): Promise<void> {
    const { rate } = this.#flags
    const input = file?.stream ?? process.stdin
    const totalBytes = file?.bytes
    // A fast stream in large chunks; a slow one a record or so at a time, ten times a second.
    const chunkRecords =
      rate === undefined ? CHUNK_RECORDS : Math.max(1, Math.min(CHUNK_RECORDS, Math.floor(rate / 10)))
    const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY, signal: this.#signal })
    let chunk: LineRecord[] = []
    let chunkBytes = 0
    let readBytes = 0
    let line = 0
    for await (const text of lines) {
      if (this.#signal.aborted) break
      line++
      readBytes += Buffer.byteLength(text) + 1
      if (text.trim() === '') continue
      try {
        const record = encodeLine(text, line, encoder)
        chunk.push(record)
        chunkBytes += record.value.length
      } catch (error) {
        // Of all lines, so none is sent.
        if (error instanceof RunInferenceError && error.code === 'SETTINGS_INVALID') throw error
        this.#refuse({ line, reason: error instanceof Error ? error.message : String(error) })
      }
      if (chunk.length < chunkRecords && chunkBytes < CHUNK_BYTES) continue
      await this.#send(chunk, totalBytes === undefined ? undefined : readBytes / totalBytes)
      chunk = []
      chunkBytes = 0
    }
    if (!this.#signal.aborted) await this.#send(chunk, 1)
  }

  async #send(chunk: readonly LineRecord[], fraction: number | undefined): Promise<void> {
    if (chunk.length > 0) {
      const sending = sendRecords(chunk, this.#topic, this.#writer)
      const sent = await Promise.race([sending, this.#interruptedFor(LAST_ANSWER_MS)])
      if (sent === undefined) {
        this.unknown = chunk.length
        sending.catch(() => {}) // Nobody waits any more; the records are reported as unknown.
        return
      }
      this.acknowledged += sent.acknowledged
      for (const refusal of sent.refused) this.#refuse(refusal)
    }
    this.#progress.show(`sending: ${this.acknowledged} acknowledged, ${this.bad} bad`, fraction)
    await this.#keepRate()
  }

  async #keepRate(): Promise<void> {
    const { rate } = this.#flags
    if (rate === undefined) return
    const dueMs = (1000 * (this.acknowledged + this.bad)) / rate - 1000 * this.seconds
    // An interruption ends the wait, which is all that it is for here.
    if (dueMs > 0) await delay(dueMs, undefined, { signal: this.#signal }).catch(() => {})
  }

  /** Resolves so long after the signal. */
  #interruptedFor(ms: number): Promise<undefined> {
    return new Promise(resolve => {
      const wait = () => setTimeout(() => resolve(undefined), ms).unref()
      if (this.#signal.aborted) wait()
      else this.#signal.addEventListener('abort', wait, { once: true })
    })
  }

  #refuse({ line, reason }: Refusal): void {
    this.bad++
    if (this.bad > SHOWN_PROBLEMS) return
    this.#progress.clear()
    console.error(`line ${line}: ${reason}`)
    if (this.bad === SHOWN_PROBLEMS) console.error('more bad lines are only counted')
  }
}

function report({ acknowledged, bad, unknown, seconds }: Production, topic: string, json: boolean): void {
  if (json) {
    console.log(JSON.stringify({ topic, acknowledged, bad, unknown, seconds: Number(seconds.toFixed(3)) }))
    return
  }
  const doubt = unknown === 0 ? '' : `, ${unknown} sent without an answer: they may be in the topic or not`
  console.log(`${acknowledged} records acknowledged by ${topic}, ${bad} bad lines${doubt}, in ${seconds.toFixed(1)} s`)
}
