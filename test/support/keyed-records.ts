/**
 * Numbered, keyed rows for topologies/raw-tensors.ts, and what became of them. A record is known by its place in the input,
 * and its key follows from that: what an output says of itself can be checked.
 */
import type { KafkaPort } from '../../src/kafka/port.ts'
import { RecordBatchBuilder } from '../../src/kafka/record-batch-builder.ts'
import { ranges } from './record-batches.ts'

/** 64 float32, as the digit models take them. */
const ROW = Buffer.alloc(256)
const KEYS_PER_PARTITION = 16
const LOAD_INTERVAL_MS = 20

const keyAt = (partition: number, offset: number) => `key-${partition}-${offset % KEYS_PER_PARTITION}`

export interface KeyedInput {
  readonly topic: string
  readonly partitions: number
}

/** Writes more records behind those that were written by it; one writer at a time. */
export class KeyedWriter {
  readonly #port: KafkaPort
  readonly #input: KeyedInput
  readonly #writer
  readonly #next: number[]

  constructor(port: KafkaPort, input: KeyedInput) {
    this.#port = port
    this.#input = input
    this.#writer = this.#port.writer()
    this.#next = new Array<number>(input.partitions).fill(0)
  }

  /** So many into each partition. */
  async write(perPartition: number): Promise<void> {
    const batches = this.#next.flatMap((from, partition) => {
      this.#next[partition] = from + perPartition
      return this.#batches(partition, from, from + perPartition)
    })
    for (const { outcome } of await this.#writer.send(batches)) {
      if (outcome !== 'acknowledged') throw new Error(`input was ${outcome}`)
    }
  }

  /** Goes on writing until the returned function is called, which resolves when all is written. */
  load(perSecond: number): () => Promise<void> {
    const share = Math.ceil((perSecond * LOAD_INTERVAL_MS) / 1000 / this.#input.partitions)
    let isOver = false
    const running = (async () => {
      for (let due = performance.now(); !isOver; due += LOAD_INTERVAL_MS) {
        await new Promise(resolve => setTimeout(resolve, Math.max(0, due - performance.now())))
        await this.write(share)
      }
    })()
    return () => {
      isOver = true
      return running
    }
  }

  /** How many each partition has. */
  get written(): readonly number[] {
    return this.#next
  }

  close(): Promise<void> {
    return this.#writer.close()
  }

  #batches(partition: number, from: number, to: number) {
    let builder = new RecordBatchBuilder(this.#input.topic, partition, 900_000)
    const builders = [builder]
    const timestamp = Date.now()
    for (let offset = from; offset < to; offset++) {
      const record = ranges({ timestamp, key: Buffer.from(keyAt(partition, offset)), value: ROW, headers: [] })
      if (builder.append(record)) continue
      builder = new RecordBatchBuilder(this.#input.topic, partition, 900_000)
      builder.append(record)
      builders.push(builder)
    }
    return builders.map(each => each.seal())
  }
}

/** A place in the input. */
export interface Place {
  readonly partition: number
  readonly offset: number
}

export interface Judgement {
  /** Records of the input without an output. */
  readonly lost: number
  /** Where outputs came from that had been there before, in the order in which they came. */
  readonly repeated: readonly Place[]
  /** First outputs of a key that came behind one of a younger record of that key. */
  readonly disordered: number
  /** Outputs whose key is not that of their record, or that come from nowhere. */
  readonly wrong: number
}

/** Reads an output topic, read_committed, up to these offsets or its end, and judges it by keys and `kri-source`. */
export async function judgeKeyed(
  port: KafkaPort,
  written: readonly number[],
  output: string,
  ends?: readonly number[],
): Promise<Judgement> {
  const seen = written.map(count => new Uint8Array(count))
  const youngest = new Map<string, number>()
  const repeated: Place[] = []
  let disordered = 0
  let wrong = 0
  const partitions = ends ?? (await port.admin.offsets(output)).map(() => 'end' as const)
  const all = partitions.map((to, partition) => ({ topic: output, partition, from: 'earliest' as const, to }))
  for await (const block of port.scan(all)) {
    for (let i = 0; i < block.count; i++) {
      const [, source] = block.headers(i).find(([name]) => name === 'kri-source')!
      const [, partition, offset] = String(source).split('/').map(Number) as [string, number, number]
      const key = String(block.key(i))
      if (key !== keyAt(partition, offset) || !(offset < (written[partition] ?? 0))) {
        wrong++
        continue
      }
      if (seen[partition]![offset]!++ > 0) {
        repeated.push({ partition, offset })
        continue
      }
      if (offset < (youngest.get(key) ?? -1)) disordered++
      youngest.set(key, offset)
    }
  }
  const lost = seen.reduce((sum, partition) => sum + partition.filter(count => count === 0).length, 0)
  return { lost, repeated, disordered, wrong }
}
