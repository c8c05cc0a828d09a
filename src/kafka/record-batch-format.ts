/** Where the fields of a record batch (format v2) lie, in bytes from its start. Numbers are big-endian. */
export const BATCH = {
  baseOffset: 0,
  /** Bytes behind this field. */
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  /** From here to the end the CRC is taken. */
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
  records: 61,
} as const

/** Bytes in front of what `length` counts. */
export const LENGTH_PREFIX = 12

export const MAGIC_V2 = 2

/** Bits of the attributes. */
export const ATTRIBUTE = { codec: 0x07, logAppendTime: 0x08, transactional: 0x10, control: 0x20 } as const
