/** The source of models that a command uses, as the settings say. */

import { modelCacheFolder, type Settings } from '../load-settings.ts'
import { isFileModel } from '../models/fetched-spec.ts'
import type { ReadProgress } from '../models/model-digest.ts'
import { modelsOf } from '../models/model-handler.ts'
import { type ModelRoots, rootsOfTopology } from '../models/model-roots.ts'
import { createModelSource, type ModelSource } from '../models/model-source.ts'
import type { RemoteAccess, S3Access } from '../models/remote-model.ts'
import type { Clock } from '../ops/clock.ts'
import type { Topology } from '../topology.ts'

/** Models of this topology, and published ones that are beneath the roots of the settings. */
export function modelSourceOf(
  settings: Settings,
  topology: Topology,
  clock: Clock,
  onRead?: ReadProgress,
): ModelSource {
  return createModelSource({
    roots: modelRootsOf(settings, topology),
    maxBytes: settings.maxModelBytes,
    timeoutMs: settings.modelFetchTimeoutMs,
    cacheFolder: modelCacheFolder(settings),
    maxCacheBytes: settings.maxModelCacheBytes,
    access: remoteAccessOf(settings),
    clock,
    ...(onRead ? { onRead } : {}),
  })
}

/** Where models of this topology may come from. */
export function modelRootsOf({ modelRoots }: Settings, topology: Topology): ModelRoots {
  const models = topology.steps.flatMap(({ handler }) => modelsOf(handler)).filter(isFileModel)
  return rootsOfTopology(
    models.map(({ uri }) => uri),
    modelRoots,
  )
}

/** Stores, and what they are shown. */
export function remoteAccessOf(settings: Settings): RemoteAccess {
  const { modelToken, modelTokenOrigin } = settings
  const token =
    modelToken === undefined || modelTokenOrigin === undefined
      ? {}
      : { token: { origin: new URL(modelTokenOrigin).origin, value: modelToken } }
  return { ...token, s3: s3AccessOf(settings) }
}

function s3AccessOf(settings: Settings): S3Access {
  const { s3Endpoint, s3Region: region, s3AccessKeyId, s3SecretAccessKey, s3SessionToken } = settings
  const credentials =
    s3AccessKeyId === undefined
      ? {}
      : {
          credentials: {
            accessKeyId: s3AccessKeyId,
            secretAccessKey: s3SecretAccessKey!,
            ...(s3SessionToken === undefined ? {} : { sessionToken: s3SessionToken }),
          },
        }
  return {
    endpoint: s3Endpoint ?? `https://s3.${region}.amazonaws.com`,
    region,
    addressing: settings.s3Addressing ?? (s3Endpoint === undefined ? 'virtual' : 'path'),
    ...credentials,
  }
}
