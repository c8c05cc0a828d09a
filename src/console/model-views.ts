/** Models as the console shows them: what is published for each slot, and what instances make of it. */
import { shownModelId } from '../credentials.ts'
import { specsOfStep } from '../handler-place.ts'
import { modelMetadataTopic, modelStatusTopic } from '../kafka/topic-names.ts'
import { fleetOf, type SlotFleet, StatusTable } from '../refresh/fleet-status.ts'
import { readOn } from '../refresh/metadata-log.ts'
import { MetadataTable } from '../refresh/metadata-table.ts'
import type { InstanceStatus } from '../refresh/status-record.ts'
import type { ModelMetadata, StepModels } from '../refresh/step-models.ts'
import { slotsOf } from '../refresh/topology-slots.ts'
import type { ModelView, SlotView } from './console-api.ts'
import type { ConsoleParts } from './console-parts.ts'

export interface ModelLook {
  readonly slots: readonly SlotView[]
  /** What instances have written of themselves, those that ended without a goodbye too. */
  readonly instances: readonly InstanceStatus[]
}

/** Reads what was written since it was last called. Members are of all groups of the application now. */
export function modelLook(
  parts: Pick<ConsoleParts, 'topology' | 'port' | 'clock'>,
): (memberIds: readonly string[], signal: AbortSignal) => Promise<ModelLook> {
  const { topology, port, clock } = parts
  const { applicationId, steps } = topology
  const isFollowed = steps.some(({ options }) => options.modelMetadata === true)
  let [metadata, statuses] = [new MetadataTable(), new StatusTable()]
  return async (memberIds, signal) => {
    if (!isFollowed) return { slots: slotViews(parts, new Map(), []), instances: [] }
    try {
      await Promise.all([
        readOn(port, modelMetadataTopic(applicationId), metadata, 'end', () => {}, signal),
        statuses.readOn(port, modelStatusTopic(applicationId), signal),
      ])
    } catch (error) {
      // A topic that was made anew is read anew.
      ;[metadata, statuses] = [new MetadataTable(), new StatusTable()]
      throw error
    }
    const published = metadata.snapshot().slots
    const { instances } = statuses.snapshot()
    const fleet = fleetOf(instances, memberIds, published, clock.wallTime())
    const states = new Map([...published].map(([slot, { state }]) => [slot, state]))
    return { slots: slotViews(parts, states, fleet.slots), instances }
  }
}

function slotViews(
  { topology }: Pick<ConsoleParts, 'topology'>,
  states: ReadonlyMap<string, StepModels>,
  fleet: readonly SlotFleet[],
): readonly SlotView[] {
  return slotsOf(topology).map(({ text, step, cohort }) => {
    const node = topology.steps.find(each => each.step === step)!
    const own = specsOfStep(topology, node)[cohort]!.uri
    const state = states.get(text)
    const instances = fleet.find(({ slot }) => slot === text)?.instances ?? []
    return {
      slot: text,
      revision: state?.revision ?? 0,
      stable: modelView(state?.stable, own),
      ...(state?.candidate && {
        candidate: {
          ...modelView(state.candidate.model, own),
          ...{ mode: state.candidate.mode, percent: state.candidate.percent },
        },
      }),
      previous: (state?.previous ?? []).map(model => modelView(model, own)),
      ...(state && { publishedBy: state.publishedBy, publishedAt: state.publishedAt }),
      fleet: instances.map(({ instance, status: { state: became, revision, modelId, reason } }) => ({
        ...{ instance, state: became, revision },
        ...(modelId !== undefined && { modelId: shownModelId(modelId === '' ? own : modelId) }),
        ...(reason !== undefined && { reason }),
      })),
    }
  })
}

/** The handler's own model by its address, where it has one. */
function modelView(model: ModelMetadata | undefined, own: string): ModelView {
  if (model === undefined || model.modelId === '') return { modelId: shownModelId(own), modelName: 'the handler’s own' }
  const { modelId, modelName, sha256 } = model
  return { modelId: shownModelId(modelId), modelName, ...(sha256 !== undefined && { sha256 }) }
}
