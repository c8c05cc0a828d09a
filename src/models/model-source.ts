/**
 * From what was published of a model to a local file whose size and checksum are right.
 *
 * F1. Only what lies beneath a root is looked at or asked for; links and redirects do not lead out.
 * F2. A result is whole: its bytes were counted and hashed, and are those that were published, if anything was said of them.
 * F3. A fetch ends: in time, at its largest size, or when its signal says so.
 * F4. Local files are checked where they are. Remote ones are kept in a cache, where their checksum is enough to find them
 *     again without asking anybody.
 */
import type { Clock } from '../ops/clock.ts'
import { modelOutage, unusableModel } from './fetch-problems.ts'
import {
  digestModel,
  type ModelDigest,
  type ReadProgress,
  requirePublished,
  tooLarge,
  type WantedModel,
} from './model-digest.ts'
import { locateModel } from './model-location.ts'
import { type ModelRoots, requireInside, requireRealInside } from './model-roots.ts'
import type { RemoteAccess } from './remote-model.ts'
import { createRemoteModels } from './remote-models.ts'

export type { WantedModel } from './model-digest.ts'

export interface ModelSourceOptions {
  readonly roots: ModelRoots
  /** Of one model, with its files of weights. */
  readonly maxBytes: number
  /** For one fetch, from first to last. */
  readonly timeoutMs: number
  /** For models that are not local; made when the first one comes. */
  readonly cacheFolder: string
  /** Above this, what nobody uses leaves the folder. */
  readonly maxCacheBytes: number
  readonly access: RemoteAccess
  readonly clock: Clock
  /** To be connected, TLS included; default 10,000. */
  readonly connectTimeoutMs?: number
  /** From then to the first line of an answer; default 30,000. */
  readonly firstByteTimeoutMs?: number
  /** Of local files, while they are checked. */
  readonly onRead?: ReadProgress
}

export interface FetchedModel extends ModelDigest {
  /** Absolute. A file of the cache stays until it is released; a local one is where it was published. */
  readonly path: string
  /** Nobody reads the file any more, not even a lane that starts again. May be called twice. */
  release(): void
}

export interface ModelSource {
  /**
   * Rejects MODEL_UNUSABLE (final: what, where, expected, got, next), MODEL_OUTAGE (retriable), or the signal's reason. Many
   * fetches may be under way; those of one model come after one another, so it is read once.
   */
  fetch(model: WantedModel, signal?: AbortSignal): Promise<FetchedModel>
}

export function createModelSource(options: ModelSourceOptions): ModelSource {
  const { roots, maxBytes, timeoutMs, clock, onRead } = options
  const remote = createRemoteModels(options)

  async function fetchLocal(model: WantedModel, path: string, signal: AbortSignal): Promise<FetchedModel> {
    const { modelId } = model
    await requireRealInside(modelId, path, roots)
    const allowWeights = (weights: string, folder: string) => requireRealInside(modelId, weights, roots, folder)
    const digest = await digestModel({ modelId, path, maxBytes, signal, allowWeights, ...(onRead ? { onRead } : {}) })
    requirePublished(model, digest)
    return { path, ...digest, release() {} }
  }

  return {
    async fetch(wanted, signal) {
      const model = checked(wanted, maxBytes)
      const { modelId } = model
      const location = locateModel(modelId)
      requireInside(modelId, location, roots)
      const deadline = new AbortController()
      const late = `it was not fetched within ${timeoutMs} ms (modelFetchTimeoutMs)`
      const cancel = clock.after(timeoutMs, () => deadline.abort(modelOutage(modelId, late)))
      const signals = signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal])
      try {
        signals.throwIfAborted()
        if (location.scheme === 'file') return await fetchLocal(model, location.path, signals)
        return await remote.fetch(model, location, signals)
      } finally {
        cancel()
      }
    },
  }
}

/** What was published comes from a topic, and a checksum names a file of the cache. */
function checked(model: WantedModel, maxBytes: number): WantedModel {
  const { modelId, sizeBytes } = model
  const sha256 = model.sha256?.toLowerCase()
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256))
    throw unusableModel(modelId, 'its sha256 is none, expected 64 hexadecimal digits', 'Publish it again')
  if (sizeBytes !== undefined && sizeBytes > maxBytes) throw tooLarge(modelId, sizeBytes, maxBytes)
  return { modelId, ...(sha256 === undefined ? {} : { sha256 }), ...(sizeBytes === undefined ? {} : { sizeBytes }) }
}
