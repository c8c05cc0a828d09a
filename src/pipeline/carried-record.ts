import { KRI_ORIGIN, KRI_SOURCE } from '../kafka/headers.ts'
import { emptyRecord, type RecordRanges } from '../kafka/record-batch-builder.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { countOfPrefix, encodeHeaders, withoutPrefix } from '../kafka/record-headers.ts'
import { originOf } from './origin.ts'
import type { PartitionFlow } from './partition-flow.ts'
import { PositionHeader } from './provenance.ts'
import type { WorkBlock } from './work-block.ts'

const OWN_PREFIX = Buffer.from('kri-')

/** What an output takes over from its source record: key and headers as they are, less `kri-*`, and where it came from. */
export class CarriedRecord {
  /** Filled anew for each output; the value, and what else an output has of its own, are the caller's. */
  readonly record: RecordRanges = emptyRecord()
  readonly #provenance: boolean
  readonly #headers = new WeakMap<PartitionFlow, PositionHeader>()
  /** That of the last row: rows of one partition come in runs. */
  #last: { readonly flow: PartitionFlow; readonly header: PositionHeader } | undefined
  #own: Buffer = Buffer.allocUnsafeSlow(256)

  constructor(provenance: boolean) {
    this.#provenance = provenance
  }

  /** `toBetween`: the topic is one that the topology reads again, whose records always say where they came from first. */
  take(work: WorkBlock, row: number, toBetween: boolean): RecordRanges {
    const { block, flow } = work
    const { record } = this
    const keyStart = block.keyStart(row)
    record.key = keyStart < 0 ? null : block.bytes
    record.keyStart = keyStart
    record.keyEnd = block.keyEnd(row)
    const count = block.headerCount(row)
    record.headers = null
    record.headerCount = 0
    if (count > 0) this.#takeHeaders(block, row, count)
    record.ownHeaders = null
    record.ownHeaderCount = 0
    if (this.#provenance) this.#say(this.#headerOf(flow), block.offset(row))
    if (toBetween || (flow.between && this.#provenance)) this.#sayOrigin(work, row)
    return record
  }

  #takeHeaders(block: RecordBlock, row: number, count: number): void {
    const { record } = this
    const start = block.headersStart(row)
    const end = block.headersEnd(row)
    if (countOfPrefix(block.bytes, start, end, count, OWN_PREFIX) === 0) {
      record.headers = block.bytes
      record.headersStart = start
      record.headersEnd = end
      record.headerCount = count
      return
    }
    const kept = withoutPrefix(block.bytes, start, end, count, OWN_PREFIX)
    record.headers = kept.bytes
    record.headersStart = 0
    record.headersEnd = kept.bytes.length
    record.headerCount = kept.count
  }

  #headerOf(flow: PartitionFlow): PositionHeader {
    if (this.#last?.flow === flow) return this.#last.header
    const header = this.#headers.get(flow) ?? new PositionHeader(KRI_SOURCE, flow)
    this.#headers.set(flow, header)
    this.#last = { flow, header }
    return header
  }

  #say(header: PositionHeader, offset: number): void {
    const { record } = this
    record.ownHeadersEnd = header.write(offset)
    record.ownHeaders = header.bytes
    record.ownHeadersStart = 0
    record.ownHeaderCount = 1
  }

  /** Behind the other header of ours, in a buffer that has room for both. */
  #sayOrigin(work: WorkBlock, row: number): void {
    const { record } = this
    const origin = encodeHeaders([[KRI_ORIGIN, Buffer.from(originOf(work, row))]])
    const before = record.ownHeaders === null ? 0 : record.ownHeadersEnd
    if (before + origin.length > this.#own.length) this.#own = Buffer.allocUnsafeSlow(2 * (before + origin.length))
    if (before > 0) record.ownHeaders!.copy(this.#own, 0, 0, before)
    origin.copy(this.#own, before)
    record.ownHeaders = this.#own
    record.ownHeadersStart = 0
    record.ownHeadersEnd = before + origin.length
    record.ownHeaderCount++
  }
}
