/**
 * The code that runs in a lane: it hosts the sessions of any number of models and answers messages, one reply each. It
 * knows nothing of threads or processes; whoever hosts it delivers one message at a time, in order of arrival.
 */
import { RunInferenceError } from '../errors.ts'
import { type CustomParts, type FindHandler, openCustomSession } from './custom-session.ts'
import type { ModelSpec } from './executor.ts'
import { carryError, type FromLane, type RanReply, type RunMessage, type ToLane } from './lane-messages.ts'
import type { LaneSession } from './lane-session.ts'
import { openOnnxSession } from './onnx-session.ts'
import { SharedModels } from './shared-models.ts'
import type { Regions } from './slots.ts'

export interface LaneHost {
  /** Never rejects: failures are replies. The next message must wait until this one was answered. */
  serve(message: ToLane): Promise<FromLane>
  /** Goes out with the next reply that is no failure. */
  warn(text: string): void
}

/** `now`: milliseconds on the clock by which the other side stamps `postedAt`. `find`: where users' handlers come from. */
export function createLaneHost(now: () => number, find: FindHandler): LaneHost {
  const sessions = new Map<number, LaneSession>()
  const slots = new Map<number, Regions>()
  const warnings: string[] = []
  const warn = (text: string) => void warnings.push(text)
  const parts: CustomParts = { now, find, models: new SharedModels(), warn }

  function open(spec: ModelSpec): Promise<LaneSession> {
    return spec.kind === 'custom' ? openCustomSession(spec, parts) : openOnnxSession(spec, now)
  }

  function sessionOf(model: number): LaneSession {
    const session = sessions.get(model)
    if (!session) throw new RunInferenceError('BUG', `model ${model} is not loaded in this lane`)
    return session
  }

  function regionsOf(message: RunMessage): Regions {
    if (message.regions) slots.set(message.slot, message.regions)
    const regions = slots.get(message.slot)
    if (!regions) throw new RunInferenceError('BUG', `slot ${message.slot} has no memory in this lane`)
    return regions
  }

  async function run(message: RunMessage): Promise<RanReply> {
    const regions = regionsOf(message)
    const session = sessionOf(message.model)
    const startedAt = now()
    const results = await session.run(regions, message)
    const computeMs = now() - startedAt
    return { type: 'ran', call: message.call, ...results, computeMs, queueMs: startedAt - message.postedAt }
  }

  async function release(model: number): Promise<void> {
    const session = sessionOf(model)
    sessions.delete(model)
    await session.release()
  }

  async function answer(message: ToLane): Promise<FromLane> {
    const { call } = message
    switch (message.type) {
      case 'run':
        return run(message)
      case 'load': {
        const session = await open(message.spec)
        sessions.set(message.model, session)
        return { type: 'loaded', call, loaded: session.loaded }
      }
      case 'control':
        await sessionOf(message.model).runControl()
        return { type: 'done', call }
      case 'unload':
        await release(message.model)
        return { type: 'done', call }
      case 'close':
        for (const model of [...sessions.keys()]) await release(model)
        return { type: 'done', call }
    }
  }

  return {
    warn,
    async serve(message) {
      try {
        const reply = await answer(message)
        return warnings.length === 0 ? reply : { ...reply, warnings: warnings.splice(0) }
      } catch (error) {
        return { type: 'failed', call: message.call, error: carryError(error) }
      }
    },
  }
}
