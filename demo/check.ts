/**
 * Judges a run by what the topics hold and by nothing else: the source topic says what came in, and every output names the
 * record that it comes from in its header `kri-source`.
 *
 * C1. lost: source records that no output names. duplicates: those that more than one output names.
 * C2. orderViolations: outputs whose source offset is not above that of the output before, per output partition and
 *     source partition.
 * C3. mismatches: outputs that are not what their source record must become (output-problem.ts), or that name none. A
 *     prediction is held against what the model says that it names itself.
 */
import type { DigitPrediction } from '../schemas/types.ts'
import { KRI_CODE, KRI_SOURCE } from '../src/kafka/headers.ts'
import type { RecordBlock } from '../src/kafka/record-block.ts'
import { type BlockRow, type Expectation, headerText, outputProblem } from './output-problem.ts'

export interface CheckedTopics {
  /** Blocks of a partition in offset order; of partitions, in any. */
  readonly source: readonly RecordBlock[]
  readonly predictions: readonly RecordBlock[]
  readonly deadLetters: readonly RecordBlock[]
  readonly expect: (source: BlockRow) => Expectation
  /** The value of a prediction; throws when it is none. */
  readonly readPrediction: (output: BlockRow) => DigitPrediction
}

export interface Verdict {
  readonly produced: number
  readonly predictions: number
  /** By topic, then by code. */
  readonly deadLetters: ReadonlyMap<string, ReadonlyMap<string, number>>
  readonly lost: number
  readonly duplicates: number
  readonly orderViolations: number
  readonly mismatches: number
  /** Share of the predictions that name the digit which the image really shows; 0 when there are none. */
  readonly accuracy: number
  /** By the id that predictions name; in the order of the first of them. */
  readonly models: ReadonlyMap<string, ModelVerdict>
  /** The first few of what is wrong, one sentence each. */
  readonly findings: readonly string[]
}

export interface ModelVerdict {
  readonly predictions: number
  /** As of all. */
  readonly accuracy: number
}

const MAX_FINDINGS = 10

export function check(topics: CheckedTopics): Verdict {
  const inspection = new Inspection(topics)
  for (const source of rowsOf(topics.source)) inspection.addSource(source)
  for (const output of rowsOf(topics.predictions)) inspection.addPrediction(output)
  for (const output of rowsOf(topics.deadLetters)) inspection.addDeadLetter(output)
  return inspection.verdict()
}

class Inspection {
  readonly #topics: CheckedTopics
  /** By `topic/partition/offset`, as `kri-source` names them. */
  readonly #sources = new Map<string, BlockRow & { outputs: number }>()
  /** The last source offset, by output partition and source partition. */
  readonly #lastOffsets = new Map<string, number>()
  readonly #counts = { lost: 0, duplicates: 0, orderViolations: 0, mismatches: 0 }
  readonly #findings: string[] = []
  readonly #models = new Map<string, { predictions: number; correct: number }>()
  readonly #deadLetters = new Map<string, Map<string, number>>()
  #predictions = 0

  constructor(topics: CheckedTopics) {
    this.#topics = topics
  }

  addSource({ block, row }: BlockRow): void {
    this.#sources.set(placeOf({ block, row }), { block, row, outputs: 0 })
  }

  addPrediction(output: BlockRow): void {
    this.#predictions++
    let prediction: DigitPrediction | undefined
    try {
      prediction = this.#topics.readPrediction(output)
    } catch {
      // `outputProblem` reports an output that cannot be read.
    }
    const expected = this.#inspect(output, prediction)
    if (prediction !== undefined) this.#countModel(prediction, expected)
  }

  #countModel({ modelId, label }: DigitPrediction, expected: Expectation | undefined): void {
    const counts = this.#models.get(modelId) ?? { predictions: 0, correct: 0 }
    this.#models.set(modelId, counts)
    counts.predictions++
    if (label === expected?.image?.trueLabel) counts.correct++
  }

  addDeadLetter(output: BlockRow): void {
    const { topic } = output.block
    const codes = this.#deadLetters.get(topic) ?? new Map<string, number>()
    this.#deadLetters.set(topic, codes)
    increment(codes, headerText(output.block.headers(output.row), KRI_CODE) ?? 'none')
    this.#inspect(output, undefined)
  }

  verdict(): Verdict {
    for (const [place, { outputs }] of this.#sources) {
      if (outputs === 0) this.#report('lost', `${place} has no output`)
    }
    const models = [...this.#models]
    return {
      produced: this.#sources.size,
      predictions: this.#predictions,
      deadLetters: this.#deadLetters,
      ...this.#counts,
      accuracy: models.reduce((sum, [, { correct }]) => sum + correct, 0) / Math.max(1, this.#predictions),
      models: new Map(
        models.map(([id, { predictions, correct }]) => [id, { predictions, accuracy: correct / predictions }]),
      ),
      findings: this.#findings,
    }
  }

  /** What the source of this output must become; undefined when it has none. */
  #inspect(output: BlockRow, prediction: DigitPrediction | undefined): Expectation | undefined {
    const place = placeOf(output)
    const from = headerText(output.block.headers(output.row), KRI_SOURCE)
    const source = this.#sources.get(from ?? '')
    if (source === undefined) {
      this.#report('mismatches', `${place} names ${from ?? 'nothing'} as its source, which is not in the source topic`)
      return undefined
    }
    source.outputs++
    if (source.outputs === 2) this.#report('duplicates', `${from} has more than one output: ${place} too`)
    this.#inspectOrder(output, source, place)
    const expected = this.#topics.expect(source)
    const problem = outputProblem(source, output, expected, prediction)
    if (problem !== undefined) this.#report('mismatches', `${place}, from ${from}, ${problem}`)
    return expected
  }

  #inspectOrder({ block }: BlockRow, source: BlockRow, place: string): void {
    const path = `${block.topic}/${block.partition} from ${source.block.partition}`
    const last = this.#lastOffsets.get(path) ?? -1
    const offset = source.block.offset(source.row)
    if (offset > last) this.#lastOffsets.set(path, offset)
    else this.#report('orderViolations', `${place} comes from offset ${offset}, but stands behind one from ${last}`)
  }

  #report(kind: keyof Pick<Verdict, 'lost' | 'duplicates' | 'orderViolations' | 'mismatches'>, what: string): void {
    this.#counts[kind]++
    if (this.#findings.length < MAX_FINDINGS) this.#findings.push(what)
  }
}

function* rowsOf(blocks: readonly RecordBlock[]): Iterable<BlockRow> {
  for (const block of blocks) for (let row = 0; row < block.count; row++) yield { block, row }
}

function placeOf({ block, row }: BlockRow): string {
  return `${block.topic}/${block.partition}/${block.offset(row)}`
}

function increment(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}
