import { RunInferenceError } from '../../src/errors.ts'
import { LiveSlot } from '../../src/refresh/live-slot.ts'
import { stableTarget } from '../../src/refresh/slot-target.ts'
import { OWN_MODEL, type StepModels } from '../../src/refresh/step-models.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'

/** The label of the handler’s own model. */
export const OWN = 'own.onnx'
export const unusable = (text: string) => new RunInferenceError('MODEL_UNUSABLE', text)
export const outage = (text: string) => new RunInferenceError('MODEL_OUTAGE', text)
export const published = (revision: number, stable: string, ...previous: readonly string[]): StepModels => ({
  revision,
  stable: stable === '' ? OWN_MODEL : { modelId: stable, modelName: stable },
  previous: previous.map(modelId => ({ modelId, modelName: modelId })),
  publishedBy: 'me',
  publishedAt: '2026-01-01T00:00:00Z',
})

interface Load {
  readonly modelId: string
  readonly signal: AbortSignal
  isOver: boolean
  finish(error?: RunInferenceError): void
}

/** A slot whose loads end when the test says so, and a log of what it did. */
export function slotOf({ hasOwn = true } = {}) {
  const clock = createManualClock()
  const log: string[] = []
  const loads: Load[] = []
  const failures: string[] = []
  const hopeless: string[] = []
  let open = 0
  const slot = new LiveSlot({
    hasOwn,
    clock,
    random: () => 0,
    onChange: () => {},
    onFailed: ({ modelId }, { message }) => void failures.push(`${modelId}: ${message}`),
    onOutage: () => void log.push('outage'),
    onRecovered: () => void log.push('recovered'),
    onHopeless: ({ message }) => void hopeless.push(message),
    prepare({ modelId }, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<undefined>()
      const load: Load = {
        modelId,
        signal,
        isOver: false,
        finish(error) {
          load.isOver = true
          if (error) reject(error)
          else resolve(undefined)
        },
      }
      loads.push(load)
      log.push(`load ${modelId}`)
      return promise.then(() => {
        open++
        return {
          modelId: modelId || OWN,
          serve() {
            open--
            log.push(`serve ${modelId}`)
            return { 'in/0': log.length }
          },
          discard() {
            open--
            log.push(`discard ${modelId}`)
          },
        }
      })
    },
  })
  /** Ends the newest load of a model. */
  const finish = async (modelId: string, error?: RunInferenceError) => {
    loads.findLast(load => load.modelId === modelId && !load.isOver)!.finish(error)
    await clock.settle()
  }
  const update = async (published: StepModels | undefined, offset: number) => {
    slot.update(stableTarget(published, offset))
    await clock.settle()
  }
  const brief = () => {
    const { state: at, modelId, revision } = slot.status()
    return `${revision} ${at} ${modelId}`
  }
  return { slot, clock, log, loads, failures, hopeless, finish, update, brief, open: () => open }
}
