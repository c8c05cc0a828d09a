/** Label names. */
export const LABEL = {
  /** Not `namespace`, which is what Kubernetes calls something else. */
  namespace: 'beam_namespace',
  step: 'step',
  model: 'model',
  /** 'candidate' for a model on trial; the others have none. */
  track: 'track',
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

interface NamedModel {
  readonly labels: ModelLabels
  /** Of the model that serves, once one was published. */
  readonly modelId?: string
  /** What served before it: its last calls come behind the change. */
  readonly before?: { readonly modelId: string | undefined; readonly labels: ModelLabels }
}

/**
 * Beam's namespace and prefixes as labels, made once per step: calls by batch only look them up. How many there are is
 * bounded, since a per-key handler may have thousands of models. The same models have labels in every instance.
 */
export class StepLabels {
  readonly #steps = new Map<
    string,
    {
      readonly namespace: string
      readonly models: NamedModel[]
      readonly own: readonly string[]
      /** On trial now, by the cohort beside which they are. */
      readonly candidates: Map<number, { readonly modelId: string; readonly labels: ModelLabels }>
    }
  >()

  open(step: string, namespace: string, own: readonly string[]): void {
    const models = own.map((name, cohort) => ({ labels: labelsOf(step, namespace, name, cohort) }))
    this.#steps.set(step, { namespace, models, own, candidates: new Map() })
  }

  /** A published model takes the place of the only one: what it is called is its label. Models per key keep that of their key. */
  rename(step: string, cohort: number, modelId: string, modelName: string): void {
    const { namespace, models, own, candidates } = this.#steps.get(step)!
    if (cohort >= own.length) {
      const beside = cohort - own.length
      const labels = onTrial(labelsOf(step, namespace, own[beside] || modelName, beside))
      return void candidates.set(beside, { modelId, labels })
    }
    const { modelId: old, labels } = models[cohort]!
    if (own[cohort] !== '' || old === modelId) return
    models[cohort] = {
      ...{ modelId, labels: labelsOf(step, namespace, modelName, cohort) },
      before: { modelId: old, labels },
    }
  }

  /** The trial beside this cohort is over: what still comes of it is counted for the model that made it. */
  endTrial(step: string, cohort: number): void {
    this.#steps.get(step)?.candidates.delete(cohort)
  }

  /** Of what is published for a model: by the key of its mapping, whatever serves. */
  slotOf(step: string, cohort: number): Readonly<Record<string, string>> {
    const { own } = this.#steps.get(step) ?? { own: [''] }
    const at = cohort % own.length
    const { beam_namespace: _, ...labels } = labelsOf(step, '', own[at]!, at)
    return cohort === at ? labels : onTrial(labels)
  }

  /** `modelId`: which one made the call; without it, what serves. */
  of(step: string, cohort: number, modelId?: string): ModelLabels {
    const opened = this.#steps.get(step)
    if (opened === undefined) return { beam_namespace: '', step }
    const at = cohort % opened.own.length
    const candidate = cohort === at ? undefined : opened.candidates.get(at)
    // What waited for a candidate that was dropped ran on the stable model.
    if (candidate && (modelId === undefined || modelId === candidate.modelId)) return candidate.labels
    const model = opened.models[at]!
    const { before } = model
    if (before === undefined || modelId === undefined || modelId === model.modelId) return model.labels
    return before.modelId === undefined || before.modelId === modelId ? before.labels : model.labels
  }
}

function onTrial<L extends Readonly<Record<string, string>>>(labels: L): L {
  return { ...labels, [LABEL.track]: 'candidate' }
}

function labelsOf(step: string, namespace: string, model: string, cohort: number): ModelLabels {
  // Prometheus does not tell an empty label from none.
  if (model === '') return { beam_namespace: namespace, step }
  return { beam_namespace: namespace, step, model: cohort < MAX_MODEL_LABELS ? model : OTHER_MODELS }
}
