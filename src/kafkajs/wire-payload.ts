/** A request body in chunks that are written to the socket as they stand, one behind the other. They must not change afterwards. */
export class WirePayload {
  readonly chunks: readonly Buffer[]
  /** Bytes in all. */
  readonly size: number

  constructor(chunks: readonly Buffer[]) {
    this.chunks = chunks
    let size = 0
    for (const chunk of chunks) size += chunk.length
    this.size = size
  }
}
