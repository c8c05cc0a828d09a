/** Label names. */
export const LABEL = {
  /** Not `namespace`, which is what Kubernetes calls something else. */
  namespace: 'beam_namespace',
  step: 'step',
  model: 'model',
  stage: 'stage',
  code: 'code',
  reason: 'reason',
  topic: 'topic',
  partition: 'partition',
  node: 'node',
  function: 'function',
  state: 'state',
  what: 'what',
  provider: 'provider',
  lane: 'lane',
  outcome: 'outcome',
} as const

/** Models of one step that have a label of their own; those behind them in the handler share one. */
export const MAX_MODEL_LABELS = 50
const OTHER_MODELS = 'other'

/** What Beam's metrics of one model of a step are labelled with. */
export interface ModelLabels extends Readonly<Record<string, string>> {
  readonly beam_namespace: string
  readonly step: string
}

/**
 * Beam's namespace and prefixes as labels, made once per step: calls by batch only look them up. How many there are is
 * bounded, since a per-key handler may have thousands of models. The same models have labels in every instance.
 */
export class StepLabels {
  readonly #models = new Map<string, readonly ModelLabels[]>()

  /** `modelName`: of a published model that takes the place of the only one. */
  open(step: string, namespace: string, models: readonly string[], modelName = ''): void {
    this.#models.set(
      step,
      models.map((own, cohort) => {
        const model = own === '' ? modelName : own
        // Prometheus does not tell an empty label from none.
        if (model === '') return { beam_namespace: namespace, step }
        return { beam_namespace: namespace, step, model: cohort < MAX_MODEL_LABELS ? model : OTHER_MODELS }
      }),
    )
  }

  of(step: string, cohort: number): ModelLabels {
    return this.#models.get(step)?.[cohort] ?? { beam_namespace: '', step }
  }
}
