/** Models of stores: from the cache where their checksum is known, else fetched into it. */
import type { IncomingHttpHeaders } from 'node:http'
import { modelOutage, reasonOf } from './fetch-problems.ts'
import type { GetAnswer } from './http-get.ts'
import { ModelCache } from './model-cache.ts'
import { digestModel, requireOneFile, requirePublished, type WantedModel } from './model-digest.ts'
import { download } from './model-download.ts'
import { type HttpLocation, nameOf, type S3Location } from './model-location.ts'
import type { FetchedModel, ModelSourceOptions } from './model-source.ts'
import { askRemote } from './remote-model.ts'
import { createTurns } from './turns.ts'

export interface RemoteModels {
  fetch(model: WantedModel, location: HttpLocation | S3Location, signal: AbortSignal): Promise<FetchedModel>
}

/** `model` and its location are allowed. */
export function createRemoteModels(options: ModelSourceOptions): RemoteModels {
  const { maxBytes, clock, cacheFolder } = options
  const cache = new ModelCache(cacheFolder, options.maxCacheBytes, clock)
  const turns = createTurns()

  /** The file of the cache with this checksum, if its bytes still are what its name says. */
  async function findCached(
    modelId: string,
    path: string,
    sha256: string,
    signal: AbortSignal,
  ): Promise<FetchedModel | undefined> {
    const release = cache.hold(path)
    try {
      await cache.touch(path)
      // That it is one file was found out when it was taken in.
      const digest = await digestModel({ modelId, path, maxBytes, signal, allowWeights: undefined })
      if (digest.sha256 === sha256) return { path, ...digest, release }
    } catch {
      // Mostly it is not there; whatever it is, a new copy mends it.
    }
    release()
    signal.throwIfAborted()
    return undefined
  }

  async function take(model: WantedModel, name: string, answer: GetAnswer, signal: AbortSignal): Promise<FetchedModel> {
    const { modelId, sizeBytes } = model
    const noCache = (error: unknown) => {
      answer.body.destroy()
      throw modelOutage(modelId, `modelCacheFolder ${cacheFolder} cannot be used: ${reasonOf(error)}`, error)
    }
    const { path: partial, file } = await cache.openPartial().catch(noCache)
    try {
      const options = { modelId, file, maxBytes, sizeBytes, signal }
      const { mayHaveWeights, ...digest } = await download(answer, options).finally(() => file.close())
      requirePublished(model, digest)
      if (mayHaveWeights) await requireOneFile(partial, { modelId, maxBytes, signal })
      const path = cache.pathOf(digest.sha256, name)
      await cache.keep(partial, path).catch(noCache)
      return { path, ...digest, release: cache.hold(path) }
    } catch (error) {
      await cache.remove(partial).catch(() => {})
      throw error
    }
  }

  async function fetchNow(
    model: WantedModel,
    location: HttpLocation | S3Location,
    signal: AbortSignal,
  ): Promise<FetchedModel> {
    const { modelId } = model
    const name = nameOf(location)
    const known = model.sha256 === undefined ? await cache.knownSource(modelId) : undefined
    const sha256 = model.sha256 ?? known?.sha256
    const cached = sha256 && (await findCached(modelId, cache.pathOf(sha256, name), sha256, signal))
    let isTaken = false
    try {
      if (cached && model.sha256 !== undefined) {
        requirePublished(model, cached)
        isTaken = true
        return cached
      }
      const etag = cached ? known?.etag : undefined
      const answer = await askRemote(location, { ...options, modelId, etag, signal })
      if (cached && answer.status === 304) {
        requirePublished(model, cached)
        isTaken = true
        return cached
      }
      const fetched = await take(model, name, answer, signal)
      await remember(model, answer.headers, fetched.sha256)
      await cache.evict()
      return fetched
    } finally {
      if (cached && !isTaken) cached.release()
    }
  }

  /** What the same address gives next time, if its server tells versions apart. */
  async function remember(model: WantedModel, { etag }: IncomingHttpHeaders, sha256: string): Promise<void> {
    // A weak one says that the meaning is the same, not the bytes.
    if (model.sha256 !== undefined || etag === undefined || etag.startsWith('W/')) return
    // Without it the model is merely fetched again.
    await cache.rememberSource(model.modelId, { etag, sha256 }).catch(() => {})
  }

  return {
    fetch: (model, location, signal) =>
      turns.take(model.sha256 ?? model.modelId, signal, () => fetchNow(model, location, signal)),
  }
}
