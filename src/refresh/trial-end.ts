/**
 * Ends a trial for all instances, for one of them: compare and set, so that of several that have come to the same verdict one
 * writes, and the others find the trial gone. Nobody waits for it; an outage is waited out.
 */
import { isRetriable } from '../errors.ts'
import { sleep } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import type { Trial } from './live-trial.ts'
import { changeMetadata, type MetadataWriterParts } from './metadata-writer.ts'
import { aborted } from './state-changes.ts'
import { isSameModel, type StepModels } from './step-models.ts'

const FIRST_PAUSE_MS = 1_000
const MAX_PAUSE_MS = 60_000

export interface TrialEnderParts extends MetadataWriterParts {
  /** Who says so. */
  readonly instance: string
  readonly logger: Logger
  readonly onOutage: (what: string, error: unknown) => void
  readonly onRecovered: (what: string) => void
}

/** Returns at once; what it begins ends with the signal, at the latest. */
export function trialEnder(parts: TrialEnderParts): (trial: Trial, reason: string, signal: AbortSignal) => void {
  return (trial, reason, signal) => {
    const { logger } = parts
    endTrial(parts, trial, reason, signal).catch((error: unknown) => {
      const facts = { slot: trial.slot, reason: String(error) }
      logger.error(
        facts,
        'the trial cannot be ended for all: each instance gives it up by itself. Run kri models abort',
      )
    })
  }
}

async function endTrial(parts: TrialEnderParts, trial: Trial, reason: string, signal: AbortSignal): Promise<void> {
  const { clock, random, instance, logger, onOutage, onRecovered } = parts
  const { slot } = trial
  const what = `end of the trial of ${slot}`
  const decide = (state: StepModels | undefined) =>
    isOn(state, trial) ? aborted(state, instance, new Date(clock.wallTime()).toISOString(), reason) : undefined
  try {
    for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
      try {
        const written = await changeMetadata(parts, slot, decide, signal)
        if (written) logger.warn({ slot, revision: written.state!.revision, reason }, 'the trial is over for all')
        return
      } catch (error) {
        // Another record came, or the instance stops.
        if (signal.aborted) return
        if (!isRetriable(error)) throw error
        onOutage(what, error)
        await sleep(clock, pauseMs * (0.5 + random() / 2), signal)
      }
    }
  } finally {
    onRecovered(what)
  }
}

function isOn(state: StepModels | undefined, { revision, candidate }: Trial): boolean {
  const now = state?.revision === revision ? state.candidate : undefined
  return now !== undefined && now.salt === candidate.salt && isSameModel(now.model, candidate.model)
}
