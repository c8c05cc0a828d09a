/**
 * The code that runs in a lane: it hosts the sessions of any number of models and answers messages, one reply each. It
 * knows nothing of threads or processes; whoever hosts it delivers one message at a time, in order of arrival.
 */
import { RunInferenceError } from '../errors.ts'
import { carryError, type FromLane, type RanReply, type RunMessage, type ToLane } from './lane-messages.ts'
import { type OnnxSession, openOnnxSession } from './onnx-session.ts'
import type { Regions } from './slots.ts'

export interface LaneHost {
  /** Never rejects: failures are replies. The next message must wait until this one was answered. */
  serve(message: ToLane): Promise<FromLane>
}

/** `now`: milliseconds on the clock by which the other side stamps `postedAt`. */
export function createLaneHost(now: () => number): LaneHost {
  const sessions = new Map<number, OnnxSession>()
  const slots = new Map<number, Regions>()

  function sessionOf(model: number): OnnxSession {
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
    const outputs = await session.run(regions, message)
    const computeMs = now() - startedAt
    return { type: 'ran', call: message.call, outputs, computeMs, queueMs: startedAt - message.postedAt }
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
        if (message.spec.kind === 'custom') throw new RunInferenceError('BUG', 'not there yet')
        const session = await openOnnxSession(message.spec, now)
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
    async serve(message) {
      try {
        return await answer(message)
      } catch (error) {
        return { type: 'failed', call: message.call, error: carryError(error) }
      }
    },
  }
}
