/** Makes a hostile input of a valid one: flipped bits, lengths that lie, cut and joined parts, numbers at their limits. */
import type { Random } from './random.ts'

/** Longer ones are cut: what takes too long for its size shows long before. */
const MAX_BYTES = 16 * 1024
/** For what is nested too deep. */
const MAX_REPEATED_BYTES = 256 * 1024
const MAX_ROUNDS = 6

const BYTES = [0x00, 0x01, 0x02, 0x7f, 0x80, 0x81, 0xfe, 0xff, 0x20, 0x0a]
const INTS = [
  0, 1, -1, 2, -2, 127, 128, -128, 255, 256, 32767, 32768, -32768, 65535, 0x7fffffff, 0x7ffffffe, -0x80000000,
  0x01000000, 0x00ffffff, 0x10000000,
]
const LONGS = [0n, 1n, -1n, 2n ** 31n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]
/** Zig-zag varints: of 0, -1, 1, 63, 64, the limits of 32 and 64 bits, beyond them, and one that does not end. */
const VARINTS = [
  '00',
  '01',
  '02',
  '7e',
  '8001',
  'ffff03',
  'feffffff0f',
  'ffffffff0f',
  'ffffffff7f',
  'feffffffffffffffff01',
  'ffffffffffffffffff01',
  'ffffffffffffffffffff01',
  '808080808000',
  '80808080808080808080',
  'feffffffffffff1f',
].map(hex => Buffer.from(hex, 'hex'))

type Mutation = (random: Random, bytes: Buffer, other: Buffer, tokens: readonly Buffer[]) => Buffer

/** One hostile input; the same for the same course of chance. `other`: what parts may be taken from. */
export function mutate(random: Random, base: Buffer, other: Buffer, tokens: readonly Buffer[]): Buffer {
  if (random.onceIn(24)) return randomBytes(random, random.below(128))
  if (random.onceIn(1024)) return repeated(random, base)
  let bytes = base
  const rounds = 1 + (random.onceIn(2) ? 0 : random.below(MAX_ROUNDS))
  for (let round = 0; round < rounds; round++) bytes = random.pick(MUTATIONS)(random, bytes, other, tokens)
  return bytes.length > MAX_BYTES ? bytes.subarray(0, MAX_BYTES) : bytes
}

const MUTATIONS: readonly Mutation[] = [
  (random, bytes) => changed(bytes, copy => (copy[random.below(copy.length)]! ^= 1 << random.below(8))),
  (random, bytes) => changed(bytes, copy => (copy[random.below(copy.length)] = random.pick(BYTES))),
  (random, bytes) => changed(bytes, copy => (copy[random.below(copy.length)] = random.below(256))),
  (random, bytes) => changed(bytes, copy => (copy[random.below(copy.length)]! += random.below(9) - 4)),
  (random, bytes) => overwritten(random, bytes, int(random, 2)),
  (random, bytes) => overwritten(random, bytes, int(random, 4)),
  (random, bytes) => overwritten(random, bytes, long(random)),
  (random, bytes) => overwritten(random, bytes, random.pick(VARINTS)),
  (random, bytes) => inserted(random, bytes, random.pick(VARINTS)),
  (random, bytes) => inserted(random, bytes, randomBytes(random, 1 + random.below(8))),
  (random, bytes) => bytes.subarray(0, random.below(bytes.length + 1)),
  (random, bytes) => {
    const [from, to] = range(random, bytes)
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)])
  },
  (random, bytes) => {
    const [from, to] = range(random, bytes)
    return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)])
  },
  (random, bytes, other) => {
    const [from, to] = range(random, other)
    return inserted(random, bytes, other.subarray(from, to))
  },
  (random, bytes, other) => {
    const [from, to] = range(random, other)
    return overwritten(random, bytes, other.subarray(from, to))
  },
  (random, bytes, other) =>
    Buffer.concat([bytes.subarray(0, random.below(bytes.length + 1)), other.subarray(random.below(other.length + 1))]),
  withToken((random, bytes, token) => inserted(random, bytes, token)),
  withToken((random, bytes, token) => overwritten(random, bytes, token)),
  withToken((random, bytes, token) => {
    const [from, to] = range(random, bytes)
    return Buffer.concat([bytes.subarray(0, from), token, bytes.subarray(to)])
  }),
]

function withToken(place: (random: Random, bytes: Buffer, token: Buffer) => Buffer): Mutation {
  return (random, bytes, other, tokens) =>
    tokens.length > 0 ? place(random, bytes, random.pick(tokens)) : overwritten(random, bytes, other)
}

function changed(bytes: Buffer, change: (copy: Buffer) => void): Buffer {
  if (bytes.length === 0) return bytes
  const copy = Buffer.from(bytes)
  change(copy)
  return copy
}

function overwritten(random: Random, bytes: Buffer, part: Buffer): Buffer {
  return changed(bytes, copy => void part.copy(copy, random.below(copy.length)))
}

function inserted(random: Random, bytes: Buffer, part: Buffer): Buffer {
  const at = random.below(bytes.length + 1)
  return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)])
}

/** A short range more often than a long one. */
function range(random: Random, bytes: Buffer): [from: number, to: number] {
  const from = random.below(bytes.length + 1)
  const longest = random.onceIn(4) ? bytes.length : 16
  return [from, Math.min(bytes.length, from + random.below(longest + 1))]
}

/** A part many times over: what is nested, or listed, without end. */
function repeated(random: Random, bytes: Buffer): Buffer {
  const from = random.below(bytes.length + 1)
  const part = bytes.subarray(from, from + 1 + random.below(12))
  if (part.length === 0) return bytes
  const times = Math.min(1 << (4 + random.below(14)), Math.floor(MAX_REPEATED_BYTES / part.length))
  const many = Buffer.alloc(part.length * times)
  for (let i = 0; i < times; i++) part.copy(many, i * part.length)
  return Buffer.concat([bytes.subarray(0, from), many, random.onceIn(2) ? bytes.subarray(from) : many.subarray(0, 0)])
}

function randomBytes(random: Random, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  for (let i = 0; i < length; i++) bytes[i] = random.next() & 0xff
  return bytes
}

function int(random: Random, size: 2 | 4): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  const value = random.pick(INTS)
  bytes.writeInt32BE(value | 0, 4)
  return bytes.subarray(8 - size)
}

function long(random: Random): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigInt64BE(random.pick(LONGS))
  return bytes
}
