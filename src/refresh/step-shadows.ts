import type { RunInferenceError } from '../errors.ts'
import type { KafkaPort } from '../kafka/port.ts'
import type { ModelSet } from '../models/model-set.ts'
import type { Clock } from '../ops/clock.ts'
import type { BatchTap } from '../pipeline/batch-tap.ts'
import { cohortOf } from '../pipeline/row-run.ts'
import type { ShadowMetrics } from '../pipeline/shadow-metrics.ts'
import type { StepOutput } from '../pipeline/step-output.ts'
import { ShadowRunner } from './shadow-runner.ts'
import { ShadowWriter } from './shadow-writer.ts'
import type { ShadowTrial } from './step-trials.ts'

export interface StepShadowsParts {
  readonly step: string
  readonly topic: string
  readonly models: Pick<ModelSet, 'candidateLanes' | 'acquire'>
  readonly output: Pick<StepOutput, 'layoutOf'>
  readonly port: Pick<KafkaPort, 'writer' | 'admin'>
  readonly metrics: ShadowMetrics
  readonly clock: Clock
  /** What the step shows its batches; undefined: nothing. */
  readonly setTap: (tap: BatchTap | undefined) => void
  /** A call of the shadow of this cohort gave results; rows have failed on it. `cohort`: of the shadow. */
  readonly onRan: (cohort: number, rows: number, computeMs: number) => void
  readonly onFailed: (cohort: number, rows: number) => void
  readonly onOutage: (what: string, error: unknown) => void
  readonly onRecovered: (what: string) => void
}

/** The shadows of one step: none most of the time, and then nothing is looked at, written or kept. */
export class StepShadows {
  readonly #parts: StepShadowsParts
  readonly #runners = new Map<number, { readonly runner: ShadowRunner; readonly trial: ShadowTrial }>()
  /** What is out, and why. */
  readonly #problems = new Map<string, string>()
  #writer: ShadowWriter | undefined
  #isClosed = false

  constructor(parts: StepShadowsParts) {
    this.#parts = parts
  }

  /** What scores beside the model of this cohort from now on; undefined: nothing. */
  set(cohort: number, trial: ShadowTrial | undefined): void {
    const { metrics, step, setTap } = this.#parts
    this.#runners.get(cohort)?.runner.close()
    this.#runners.delete(cohort)
    this.#tell(this.#nameOf(cohort), undefined)
    if (trial && !this.#isClosed) {
      this.#runners.set(cohort, { runner: this.#runner(cohort, trial), trial })
      this.#tellTrials()
      metrics.shadowBegan(step, cohort)
    }
    setTap(this.#runners.size > 0 ? this.#tap : undefined)
    if (this.#runners.size === 0) void this.#closeWriter()
  }

  /** Ends all of them, at once. */
  async close(): Promise<void> {
    this.#isClosed = true
    const closed = this.#closeWriter()
    for (const cohort of [...this.#runners.keys()]) this.set(cohort, undefined)
    await closed
  }

  readonly #tap: BatchTap = {
    ran: (batch, inputs, from, rows, outputs) =>
      this.#runners.get(cohortOf(batch))?.runner.offer({ batch, inputs, from, rows, outputs }),
  }

  #runner(cohort: number, trial: ShadowTrial): ShadowRunner {
    const { step, models, output, metrics, clock, onRan, onFailed } = this.#parts
    const writer = this.#openWriter()
    return new ShadowRunner({
      ...{ step, cohort, trial, models, writer, metrics, clock },
      layout: output.layoutOf(cohort),
      onRan: (rows, computeMs) => onRan(trial.candidateCohort, rows, computeMs),
      onFailed: rows => onFailed(trial.candidateCohort, rows),
      onProblem: problem => this.#tell(this.#nameOf(cohort), problem),
    })
  }

  #openWriter(): ShadowWriter {
    const { topic, port, clock } = this.#parts
    this.#writer ??= new ShadowWriter({
      ...{ topic, port, clock },
      onProblem: problem => this.#tell(this.#topicName, problem),
    })
    this.#writer.start()
    return this.#writer
  }

  /** Never rejects. */
  async #closeWriter(): Promise<void> {
    const writer = this.#writer
    this.#writer = undefined
    if (!writer) return
    this.#tell(this.#topicName, undefined)
    await writer.close()
  }

  #tell(what: string, problem: RunInferenceError | undefined): void {
    if (problem) {
      this.#problems.set(what, problem.message)
      this.#parts.onOutage(what, problem)
    } else {
      if (!this.#problems.delete(what)) return
      this.#parts.onRecovered(what)
    }
    this.#tellTrials()
  }

  #tellTrials(): void {
    const ofTopic = this.#problems.get(this.#topicName)
    for (const [cohort, { trial }] of this.#runners)
      trial.onProblem(ofTopic ?? this.#problems.get(this.#nameOf(cohort)))
  }

  get #topicName(): string {
    return `topic ${this.#parts.topic}`
  }

  #nameOf(cohort: number): string {
    const { step } = this.#parts
    return cohort === 0 ? `shadow of step ${step}` : `shadow of model ${cohort} of step ${step}`
  }
}
