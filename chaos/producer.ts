/**
 * Writes numbered records of many keys at a rate, whatever happens to the brokers, and knows which are acknowledged. It writes
 * idempotently, waits for all replicas, and never gives a record up: what it holds back while a broker is gone, it sends later.
 */
import { murmur2Partition } from '../src/kafka/murmur2.ts'
import type { KafkaWriter } from '../src/kafka/port.ts'
import { emptyRecord, RecordBatchBuilder, type SealedBatch } from '../src/kafka/record-batch-builder.ts'
import { encodeHeaders } from '../src/kafka/record-headers.ts'
import { type EventSchema, encodeEvent } from './event-schemas.ts'
import { EVENT_HEADER, eventOf, headerText, keyText } from './events.ts'

export interface ProducerOptions {
  readonly writer: Pick<KafkaWriter, 'send'>
  readonly topic: string
  readonly partitions: number
  /** Records a second. */
  readonly rate: number
  readonly schema: EventSchema
  /** It cannot go on. */
  readonly onFailed: (error: unknown) => void
}

export interface Producer {
  /** Records a second. */
  readonly rate: number
  /** Records that are acknowledged. */
  readonly acknowledged: number
  /** The same, by key. */
  readonly byKey: ReadonlyMap<number, number>
  /** Values from now on are of this version. */
  use(schema: EventSchema): void
  setRate(rate: number): void
  /** Sends nothing more; resolves when all that was sent is acknowledged. */
  stop(): Promise<void>
  /** Sends nothing more, and waits for nothing. */
  halt(): void
}

const KEYS = 48
const TICK_MS = 150
/** Above it nothing more is sent to a partition: as a client's buffer does, when brokers are gone. */
const MAX_UNACKNOWLEDGED = 2_000
const MAX_BATCH_BYTES = 900_000
const NOT_AVRO = Buffer.from('this is no Avro')

export function startProducer(options: ProducerOptions): Producer {
  const { writer, topic, partitions, onFailed } = options
  const lanes = Array.from({ length: partitions }, (_, partition) => createLane(topic, partition))
  for (let key = 0; key < KEYS; key++) {
    const bytes = Buffer.from(keyText(key))
    lanes[murmur2Partition(bytes, 0, bytes.length, partitions)]!.keys.push({ key, bytes, next: 0 })
  }
  const busy = lanes.filter(({ keys }) => keys.length > 0)
  const byKey = new Map<number, number>()
  let acknowledged = 0
  let { schema, rate } = options
  let owed = 0
  let lastAt = performance.now()
  const sends = new Set<Promise<void>>()

  function send(lane: Lane, batch: SealedBatch, keys: readonly number[]): void {
    lane.unacknowledged += batch.count
    const sent = writer.send([batch]).then(([result]) => {
      if (result!.outcome === 'refused') throw new Error(`the input refuses a batch: ${result!.reason}`)
      lane.unacknowledged -= batch.count
      acknowledged += batch.count
      for (const key of keys) byKey.set(key, (byKey.get(key) ?? 0) + 1)
    })
    sends.add(sent)
    sent.then(() => sends.delete(sent), onFailed)
  }

  function tick(): void {
    const now = performance.now()
    owed = Math.min(owed + ((now - lastAt) / 1000) * rate, rate)
    lastAt = now
    const share = Math.floor(owed / busy.length)
    if (share === 0) return
    owed -= share * busy.length
    for (const lane of busy) {
      if (lane.unacknowledged >= MAX_UNACKNOWLEDGED) continue
      const keys = fill(lane, share, schema)
      send(lane, lane.builder.seal(), keys)
    }
  }

  const timer = setInterval(tick, TICK_MS)
  return {
    get rate() {
      return rate
    },
    get acknowledged() {
      return acknowledged
    },
    byKey,
    use(next) {
      schema = next
    },
    setRate(next) {
      rate = next
    },
    async stop() {
      clearInterval(timer)
      await Promise.all(sends)
    },
    halt: () => clearInterval(timer),
  }
}

interface Lane {
  readonly builder: RecordBatchBuilder
  readonly keys: { readonly key: number; readonly bytes: Buffer; next: number }[]
  turn: number
  unacknowledged: number
}

function createLane(topic: string, partition: number): Lane {
  return { builder: new RecordBatchBuilder(topic, partition, MAX_BATCH_BYTES), keys: [], turn: 0, unacknowledged: 0 }
}

/** Appends the next records of the lane's keys, by turns; returns whose they are. */
function fill(lane: Lane, count: number, schema: EventSchema): readonly number[] {
  const record = { ...emptyRecord(), timestamp: Date.now(), headerCount: 1 }
  const filled: number[] = []
  for (let i = 0; i < count; i++) {
    const source = lane.keys[lane.turn++ % lane.keys.length]!
    const event = eventOf(source.key, source.next++)
    record.key = source.bytes
    record.keyEnd = source.bytes.length
    record.value = event.mark === 'undecodable' ? NOT_AVRO : encodeEvent(event, schema)
    record.valueEnd = record.value.length
    record.headers = encodeHeaders([[EVENT_HEADER, Buffer.from(headerText(event))]])
    record.headersEnd = record.headers.length
    if (!lane.builder.append(record)) throw new Error('a batch of the producer is too large for one request')
    filled.push(source.key)
  }
  return filled
}
