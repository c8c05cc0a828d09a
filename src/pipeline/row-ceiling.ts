/**
 * How many rows of a step fit the memory of the device. Nobody tells us beforehand, and it changes: other processes take
 * memory and give it back. So a batch that does not fit halves the ceiling, and good batches at the ceiling try more again,
 * the more rarely the more often that was in vain.
 *
 * R1. The ceiling is between 1 and the most rows of a batch.
 * R2. A batch of two rows or more that does not fit leaves it at half of them (rounded up) or less, so the next try is smaller.
 * R3. It doubles only after `patience` full batches in a row fitted; a failed try doubles the patience, up to MAX_PATIENCE.
 * R4. While what fits does not change, tries that fail become rare; when it grows, the ceiling follows, up to the most rows.
 */

const FIRST_PATIENCE = 64
const MAX_PATIENCE = 4096

export class RowCeiling {
  readonly #mostRows: number
  readonly #onChange: (rows: number, failedRows: number | undefined) => void
  #rows: number
  #fittedInARow = 0
  #patience = FIRST_PATIENCE
  /** The ceiling was raised, and no batch has shown yet that it fits. */
  #trying = false

  /** `onChange`: the new ceiling, and the rows that did not fit; undefined when it rises. */
  constructor(mostRows: number, onChange: (rows: number, failedRows: number | undefined) => void) {
    this.#mostRows = mostRows
    this.#rows = mostRows
    this.#onChange = onChange
  }

  /** A batch of so many rows did not fit. One row alone says nothing of how many fit: it may be large. */
  tooMany(rows: number): void {
    const half = Math.ceil(rows / 2)
    // Others were under way when the ceiling came down.
    if (rows < 2 || half >= this.#rows) return
    if (this.#trying) this.#patience = Math.min(this.#patience * 2, MAX_PATIENCE)
    this.#trying = false
    this.#fittedInARow = 0
    this.#rows = half
    this.#onChange(half, rows)
  }

  /** A batch of so many rows fitted. */
  fitted(rows: number): void {
    // Smaller batches say nothing of the ceiling.
    if (rows !== this.#rows) return
    if (this.#trying) {
      this.#trying = false
      this.#patience = FIRST_PATIENCE
    }
    if (rows === this.#mostRows || ++this.#fittedInARow < this.#patience) return
    this.#fittedInARow = 0
    this.#trying = true
    this.#rows = Math.min(rows * 2, this.#mostRows)
    this.#onChange(this.#rows, undefined)
  }
}
