/** Puts a model where instances find it, under a name with its checksum: so it is never overwritten, and can be gone back to. */
import { randomBytes } from 'node:crypto'
import { copyFile, mkdir, rename, rm, stat } from 'node:fs/promises'
import { basename, extname, isAbsolute, join } from 'node:path'
import { RunInferenceError } from '../errors.ts'
import { digestModel, type ModelDigest } from '../models/model-digest.ts'
import { locateModel } from '../models/model-location.ts'
import { type ModelRoots, requireInside } from '../models/model-roots.ts'
import { putModel, type UploadOptions } from '../models/model-upload.ts'

const DIGITS = 12

/** The id that a model will have under a root: `<root>/<name>-<begin of its checksum>.onnx`. */
export function uploadedId(root: string, file: string, sha256: string): string {
  const extension = extname(file)
  const name = `${basename(file, extension)}-${sha256.slice(0, DIGITS)}${extension}`
  return `${root.replace(/\/+$/, '')}/${encodeIn(root, name)}`
}

/**
 * Puts a file there, unless it is there; whole or not at all. Rejects SETTINGS_INVALID where it cannot be written, MODEL_UNUSABLE
 * for a root from which instances would not take it and where something else has its name; of stores as `putModel`.
 */
export async function uploadModel(
  modelId: string,
  file: string,
  digest: ModelDigest,
  roots: ModelRoots,
  options: UploadOptions,
): Promise<'uploaded' | 'there'> {
  const location = locateModel(modelId)
  requireInside(modelId, location, roots)
  if (location.scheme !== 'file') return await putModel(modelId, location, { ...digest, path: file }, options)
  const { path } = location
  if (await isThere(modelId, path, digest, options.signal)) return 'there'
  const partial = join(path, '..', `.partial-${randomBytes(6).toString('hex')}`)
  try {
    await mkdir(join(path, '..'), { recursive: true })
    await copyFile(file, partial)
    await rename(partial, path)
    return 'uploaded'
  } catch (error) {
    // Where no file can be, there is none to remove.
    await rm(partial, { force: true }).catch(() => {})
    const { message } = error as Error
    throw new RunInferenceError(
      'SETTINGS_INVALID',
      `--upload: ${path} cannot be written: ${message}. Check its rights`,
      {
        cause: error,
      },
    )
  }
}

/** Throws MODEL_UNUSABLE for other bytes under this name, which somebody may go back to. */
async function isThere(modelId: string, path: string, { sha256, sizeBytes }: ModelDigest, signal: AbortSignal) {
  const there = await stat(path).catch(() => undefined)
  if (there === undefined) return false
  const got = await digestModel({ modelId, path, maxBytes: Number.POSITIVE_INFINITY, signal, allowWeights: undefined })
  if (got.sha256 === sha256) return true
  const what = `${path} is there, with ${got.sizeBytes} other bytes, expected ${sizeBytes} with sha256 ${sha256}`
  throw new RunInferenceError('MODEL_UNUSABLE', `--upload: ${what}. Look whose they are, and remove or rename them`)
}

/** In an address what is no letter of it has to be written otherwise; in a path and a key nothing. */
function encodeIn(root: string, name: string): string {
  return /^(https?|file):/i.test(root) ? encodeURIComponent(name) : name
}

/** Only a path of this machine can be uploaded. */
export function requireLocalFile(modelId: string): string {
  const location = locateModel(modelId)
  if (location.scheme === 'file' && isAbsolute(location.path)) return location.path
  const remedy = 'Leave --upload out: it is published where it is'
  throw new RunInferenceError(
    'SETTINGS_INVALID',
    `--upload: expected a file of this machine, got ${modelId}. ${remedy}`,
  )
}
