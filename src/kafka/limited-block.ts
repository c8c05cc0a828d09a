import type { Header, RecordBlock } from './record-block.ts'

/** The records of a block below an offset; batches come whole, ranges do not. */
export function limitBlock(block: RecordBlock, to: number): RecordBlock {
  if (block.nextOffset <= to) return block
  let count = block.count
  while (count > 0 && block.offset(count - 1) >= to) count--
  return new LimitedBlock(block, count, to)
}

class LimitedBlock implements RecordBlock {
  readonly #whole: RecordBlock
  readonly topic: string
  readonly partition: number
  readonly count: number
  readonly bytes: Buffer
  readonly nextOffset: number
  readonly endOffset: number
  readonly retainedBytes: number

  constructor(whole: RecordBlock, count: number, nextOffset: number) {
    this.#whole = whole
    this.topic = whole.topic
    this.partition = whole.partition
    this.count = count
    this.bytes = whole.bytes
    this.nextOffset = nextOffset
    this.endOffset = whole.endOffset
    this.retainedBytes = whole.retainedBytes
  }

  offset(i: number): number {
    return this.#whole.offset(i)
  }
  timestamp(i: number): number {
    return this.#whole.timestamp(i)
  }
  keyStart(i: number): number {
    return this.#whole.keyStart(i)
  }
  keyEnd(i: number): number {
    return this.#whole.keyEnd(i)
  }
  valueStart(i: number): number {
    return this.#whole.valueStart(i)
  }
  valueEnd(i: number): number {
    return this.#whole.valueEnd(i)
  }
  headerCount(i: number): number {
    return this.#whole.headerCount(i)
  }
  headersStart(i: number): number {
    return this.#whole.headersStart(i)
  }
  headersEnd(i: number): number {
    return this.#whole.headersEnd(i)
  }
  key(i: number): Buffer | null {
    return this.#whole.key(i)
  }
  value(i: number): Buffer | null {
    return this.#whole.value(i)
  }
  headers(i: number): readonly Header[] {
    return this.#whole.headers(i)
  }
}
