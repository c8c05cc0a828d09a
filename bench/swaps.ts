/** Models that are published for the step `classify`, waited for, and what their swaps did to the latency of records. */
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { modelStatusTopic } from '../src/kafka/topic-names.ts'
import { systemClock } from '../src/ops/clock.ts'
import { readStatus } from '../src/refresh/fleet-status.ts'
import { changeMetadata } from '../src/refresh/metadata-writer.ts'
import { promoted, published, withCandidate } from '../src/refresh/state-changes.ts'
import type { ModelStatus, SlotStatus } from '../src/refresh/status-record.ts'
import type { StepModels } from '../src/refresh/step-models.ts'
import type { DigitModel } from './digit-models.ts'
import type { Setting } from './setting.ts'
import { machineNow } from './variants/pace.ts'

const SLOT = 'classify'
const CANARY_PERCENT = 10
/** Each look reads all of the status topic: more often, it would be part of the load. */
const LOOK_MS = 250
const CURRENT_WITHIN_MS = 60_000
/** What came just before is still under way. */
const WINDOW_BEFORE_MS = 100
const WINDOW_AFTER_MS = 500

/** From the publication until the instance said so, on the clock of the machine. */
export interface Swap {
  readonly fromMs: number
  readonly toMs: number
}

/** Until the instance says that the model serves. */
export function publishAndWait(setting: Setting, applicationId: string, { metadata }: DigitModel): Promise<Swap> {
  return changeAndWait(setting, applicationId, state => published(state, metadata, ...act()), stableOf)
}

/** Until the canary has its share. */
export function startCanary(setting: Setting, applicationId: string, { metadata: model }: DigitModel): Promise<Swap> {
  const candidate = { model, mode: 'canary', percent: CANARY_PERCENT, salt: 'bench' } as const
  return changeAndWait(setting, applicationId, state => withCandidate(state, candidate, ...act()), candidateOf)
}

export function promoteAndWait(setting: Setting, applicationId: string): Promise<Swap> {
  return changeAndWait(setting, applicationId, state => promoted(state, ...act()), stableOf)
}

const act = () => ['bench', new Date().toISOString()] as const
const stableOf = (status: SlotStatus | undefined): ModelStatus | undefined => status
const candidateOf = (status: SlotStatus | undefined) => status?.candidate

async function changeAndWait(
  { port }: Setting,
  applicationId: string,
  change: (state: StepModels | undefined) => StepModels,
  statusOf: (status: SlotStatus | undefined) => ModelStatus | undefined,
): Promise<Swap> {
  const parts = { port, applicationId, clock: systemClock, random: Math.random }
  const fromMs = machineNow()
  const written = await changeMetadata(parts, SLOT, change)
  const giveUpAt = fromMs + CURRENT_WITHIN_MS
  for (;;) {
    const { instances } = await readStatus(port, modelStatusTopic(applicationId))
    const slot = statusOf(instances.flatMap(({ slots }) => slots).find(each => each.slot === SLOT))
    const hasRead = slot !== undefined && slot.metadataOffset >= written!.offset
    if (hasRead && slot.state === 'current') return { fromMs, toMs: machineNow() }
    if (hasRead && slot.state === 'failed') throw new Error(`${applicationId}: a model failed: ${slot.reason}`)
    if (machineNow() > giveUpAt) throw new Error(`${applicationId}: a model is not current: ${slot?.reason}`)
    await delay(LOOK_MS)
  }
}

/**
 * Of records that were meant to be sent within a window around a swap, and of the others; sorted, without the first ones.
 * `notesFile`: as the receiver of refresh writes it.
 */
export function latencies(
  notesFile: string,
  warmUpRecords: number,
  swaps: readonly Swap[],
): { readonly steady: Float64Array; readonly swapping: Float64Array } {
  const bytes = readFileSync(notesFile)
  const notes = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8)
  const steady: number[] = []
  const swapping: number[] = []
  for (let i = 2 * warmUpRecords; i < notes.length; i += 2) {
    const [intended, latency] = [notes[i]!, notes[i + 1]!]
    if (Number.isNaN(intended)) continue
    const isIn = ({ fromMs, toMs }: Swap) => intended >= fromMs - WINDOW_BEFORE_MS && intended <= toMs + WINDOW_AFTER_MS
    if (swaps.some(isIn)) swapping.push(latency)
    else steady.push(latency)
  }
  return { steady: Float64Array.from(steady).sort(), swapping: Float64Array.from(swapping).sort() }
}
