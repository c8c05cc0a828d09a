/** What a running topology does about published models, from the topic to its lanes and back to the status topic. */
import { publishedSpec, specsOfStep } from '../handler-place.ts'
import { modelMetadataTopic, modelStatusTopic } from '../kafka/topic-names.ts'
import type { ModelSpec } from '../models/executor.ts'
import { isFileModel, isRemoteModel, withFetched } from '../models/fetched-spec.ts'
import type { ChangingSteps } from '../models/prepared-model.ts'
import type { RunParts } from '../run-parts.ts'
import type { Topology } from '../topology.ts'
import { whyIgnored } from './ignored-metadata.ts'
import { statsReader } from './instance-stats.ts'
import { LiveModels } from './live-models.ts'
import { LoadTurns } from './load-turns.ts'
import { noModelFiles, SlotLoader } from './slot-loader.ts'
import type { SlotStatus } from './status-record.ts'
import { StatusReporter } from './status-reporter.ts'
import type { StepTrials } from './step-trials.ts'
import { slotsOf } from './topology-slots.ts'
import { trialEnder } from './trial-end.ts'
import { tryOut } from './try-out.ts'

/** Beside those that serve: one that hangs, and others. */
const LOADS_AT_ONCE = 2

export interface LiveRunParts
  extends Pick<
    RunParts,
    'port' | 'executor' | 'modelFiles' | 'metrics' | 'clock' | 'random' | 'logger' | 'instanceId' | 'settings'
  > {
  /** Where reading of the sources stands, by `topic/partition`. */
  readonly positions: () => Readonly<Record<string, number>>
  /** In the consumer groups, now. */
  readonly memberIds: () => readonly string[]
  readonly onOutage: (what: string, error: unknown) => void
  readonly onRecovered: (what: string) => void
}

export interface LiveRun {
  /** Reads what is published, and resolves when every step has a model. Rejects in an outage; may be called again then. */
  open(signal: AbortSignal): Promise<void>
  /** What the lanes of these steps are to be opened with, by cohort; undefined: the step has nothing to do with it. */
  chosen(step: string): readonly ModelSpec[] | undefined
  /** The lanes are open. `trials`: of each step. */
  attach(steps: ChangingSteps, trials: ReadonlyMap<string, StepTrials>): void
  /** Resolves when models on trial are loaded, as far as they can be now. */
  trialsLoaded(): Promise<void>
  /** The instance is a member of its groups, under ids that may be others than before. */
  joined(): void
  slots(): readonly SlotStatus[]
  /** Gives up what is being loaded and says goodbye in the status topic, which takes a second at most. */
  close(): Promise<void>
}

/** Undefined where no step follows what is published: then nothing is read, written or kept. */
export function createLiveRun(topology: Topology, parts: LiveRunParts): LiveRun | undefined {
  const { clock, executor, modelFiles: files, logger, metrics, port, positions, random } = parts
  const steps = topology.steps.filter(({ options }) => options.modelMetadata === true)
  if (steps.length === 0) return undefined
  if (files === undefined) throw noModelFiles(`models of step "${steps[0]!.step}" can be published`)
  const turns = new LoadTurns(LOADS_AT_ONCE)
  const timeoutMs = parts.settings.modelLoadTimeoutMs
  const nodes = new Map(steps.map(node => [node.step, node]))
  const loaders = slotsOf({ steps }).map(slot => {
    const { step, cohort } = slot
    const node = nodes.get(step)!
    const own = specsOfStep(topology, node)[cohort]!
    return new SlotLoader({
      ...{ slot, files, turns, timeoutMs, positions, cohorts: node.handler.cohorts.length },
      hasOwn: own.uri !== '',
      wantedFile(model) {
        if (!isFileModel(node.handler.cohorts[cohort]!.model)) return undefined
        if (model.modelId !== '') return model
        return isRemoteModel(own.uri) ? { ...model, modelId: own.uri } : undefined
      },
      specOf({ modelId }, file) {
        const spec = publishedSpec(topology, node, cohort, modelId)
        return file ? withFetched(spec, file) : spec
      },
      tryOut: (spec, signal) => tryOut(spec, { executor, clock, timeoutMs, signal }),
      onServed({ modelName }, modelId, served) {
        metrics.modelNamed(step, served, modelId, modelName)
        if (served === cohort) logger.info({ slot: slot.text, modelId }, 'this model serves from now on')
      },
    })
  })
  const instance = parts.instanceId ?? `instance-${Math.floor(random() * 2 ** 48).toString(36)}`
  const live = new LiveModels({
    ...parts,
    topic: modelMetadataTopic(topology.applicationId),
    slots: loaders,
    trialWindowMs: parts.settings.trialWindowMs,
    stuckMs: parts.settings.stuckMs,
    endTrial: trialEnder({ ...parts, applicationId: topology.applicationId, instance }),
    whyIgnored: key => whyIgnored(topology, key),
    onChange: () => reporter.changed(),
  })
  const reporter = new StatusReporter({
    ...{ clock, logger },
    topic: modelStatusTopic(topology.applicationId),
    writer: port.writer(),
    instance,
    ...(parts.metrics.read && { stats: statsReader({ read: parts.metrics.read }, clock) }),
    status: () => ({ memberIds: parts.memberIds(), slots: live.slots(), ignored: live.ignored() }),
  })
  return {
    open: signal => live.open(signal),
    chosen: step =>
      nodes.has(step) ? loaders.filter(({ slot }) => slot.step === step).map(each => each.chosen()) : undefined,
    attach(opened, trials) {
      for (const loader of loaders) {
        const { step, cohort } = loader.slot
        const { models, signatures } = opened.get(step)!
        loader.attach(models, signatures[cohort]!, trials.get(step)!)
      }
    },
    trialsLoaded: () => live.trialsLoaded(),
    joined: () => live.joined(),
    slots: () => live.slots(),
    close() {
      live.close()
      return reporter.close()
    },
  }
}
