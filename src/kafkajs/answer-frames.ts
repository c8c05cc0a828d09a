import { RunInferenceError } from '../errors.ts'

/** The size in front of each answer. */
const SIZE_BYTES = 4
/** Every answer begins with its correlation id. */
const MIN_ANSWER_BYTES = 4
/** Far above what we ever ask for; what claims more is no broker (the text "HTTP" read as a size is 1.2 GB). */
const MAX_ANSWER_BYTES = 512 * 1024 * 1024

/**
 * Cuts a stream of bytes into answers. Each answer gets one buffer of exactly its size, filled as the bytes come, so that
 * what is read may come from a buffer that is used again.
 */
export class AnswerFrames {
  readonly #onAnswer: (answer: Buffer) => void
  readonly #size = Buffer.alloc(SIZE_BYTES)
  #sizeFilled = 0
  #answer: Buffer | undefined
  #filled = 0

  constructor(onAnswer: (answer: Buffer) => void) {
    this.#onAnswer = onAnswer
  }

  /** Throws BROKER_REFUSED when the other side does not speak Kafka; the connection must be given up then. */
  push(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      if (this.#answer === undefined) at = this.#readSize(bytes, at)
      if (this.#answer === undefined) return
      const copied = bytes.copy(this.#answer, this.#filled, at)
      this.#filled += copied
      at += copied
      if (this.#filled < this.#answer.length) return
      const answer = this.#answer
      this.#answer = undefined
      this.#onAnswer(answer)
    }
  }

  #readSize(bytes: Buffer, at: number): number {
    const copied = bytes.copy(this.#size, this.#sizeFilled, at)
    this.#sizeFilled += copied
    if (this.#sizeFilled === SIZE_BYTES) {
      this.#sizeFilled = 0
      this.#filled = 0
      const size = this.#size.readInt32BE(0)
      if (size < MIN_ANSWER_BYTES || size > MAX_ANSWER_BYTES) {
        const text = this.#size.toString('latin1').replace(/[^ -~]/g, '.')
        throw new RunInferenceError(
          'BROKER_REFUSED',
          `the other side does not speak Kafka: its answer begins with "${text}", a size of ${size} bytes. Is this the port of a broker, and TLS set as the broker has it?`,
        )
      }
      this.#answer = Buffer.allocUnsafeSlow(size)
    }
    return at + copied
  }
}
