/** The parts of kafkajs that ours are compared with. */
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

export interface KafkajsRecord {
  readonly offset: string
  readonly timestamp: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer | null | (Buffer | null)[]>>
}

interface KafkajsEncoder {
  readonly buffer: Buffer
  writeVarInt(value: number): KafkajsEncoder
  writeVarLong(value: number): KafkajsEncoder
}

export const Encoder = require('kafkajs/src/protocol/encoder') as new () => KafkajsEncoder

export const Decoder = require('kafkajs/src/protocol/decoder') as new (
  bytes: Buffer,
) => { readVarInt(): number; readVarLong(): { toString(): string } }

export const decodeRecordBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder') as (
  decoder: object,
) => Promise<{ readonly records: readonly KafkajsRecord[]; readonly maxTimestamp: string }>

/** Reads an int32 length and the record batches behind it. */
export const decodeMessages = require('kafkajs/src/protocol/requests/fetch/v4/decodeMessages') as (
  decoder: object,
) => Promise<readonly KafkajsRecord[]>

export const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0') as (record: object) => KafkajsEncoder

export const { RecordBatch: encodeRecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch: (batch: object) => Promise<KafkajsEncoder>
}

export const produceV7 = require('kafkajs/src/protocol/requests/produce/v7/request') as (args: object) => {
  encode(): Promise<KafkajsEncoder>
}

export const fetchV11 = require('kafkajs/src/protocol/requests/fetch/v11/request') as (args: object) => {
  encode(): Promise<KafkajsEncoder>
}

export const filterAbortedMessages = require('kafkajs/src/consumer/filterAbortedMessages') as (args: {
  messages: readonly object[]
  abortedTransactions: readonly object[]
}) => readonly KafkajsRecord[]

export const murmur2Kafkajs = require('kafkajs/src/producer/partitioners/default/murmur2') as (key: Buffer) => number

export const crc32cKafkajs = require('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number
