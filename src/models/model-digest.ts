/**
 * Size and checksum of a model file, as a lane finds them when it loads it (model-file.ts): the file's bytes, then those of its
 * files of weights in the order of their names. The main thread serves meanwhile, so files are read in small pieces; only
 * one that may name files of weights is read whole, and such files are small.
 */
import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { RunInferenceError } from '../errors.ts'
import { externalTensors } from './external-tensors.ts'
import { fileProblem, unusableModel } from './fetch-problems.ts'
import { externalPath } from './model-file.ts'

export interface ModelDigest {
  /** Of all files together. */
  readonly sizeBytes: number
  /** Hexadecimal. */
  readonly sha256: string
}

/** What of a published model says where it is and what its bytes are. */
export interface WantedModel {
  readonly modelId: string
  /** Hexadecimal; of a model with files of weights, of all of them in a row (LoadedModel.sha256). */
  readonly sha256?: string
  readonly sizeBytes?: number
}

export interface DigestOptions {
  /** For errors. */
  readonly modelId: string
  readonly path: string
  /** Of all files together. */
  readonly maxBytes: number
  readonly signal: AbortSignal
  /** Rejects for a file of weights that may not be read; `folder`: that of the model. Undefined: the model must be one file. */
  readonly allowWeights: ((path: string, folder: string) => Promise<void>) | undefined
  /** How far reading has come in the file that is being read, in bytes; told for every piece. */
  readonly onRead?: ReadProgress
}

export type ReadProgress = (done: number, total: number) => void

/** Hashed in less than a millisecond; smaller ones cost the main thread more in asking for them than in hashing. */
const PIECE_BYTES = 262_144
/** The key under which a tensor names its file: without these bytes in a model there are no files of weights. */
const LOCATION = Buffer.from('location')

/** Looks for `location` in pieces that follow one another. */
export class WeightsMark {
  #tail = Buffer.alloc(0)
  /** Whether it was found. */
  found = false

  look(piece: Uint8Array): void {
    if (this.found) return
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
    const border = Buffer.concat([this.#tail, bytes.subarray(0, LOCATION.length - 1)])
    this.found = border.includes(LOCATION) || bytes.includes(LOCATION)
    this.#tail = Buffer.concat([this.#tail, bytes.subarray(-LOCATION.length + 1)]).subarray(-LOCATION.length + 1)
  }
}

/** Rejects MODEL_UNUSABLE (missing, no file, empty, too large, weights where none may be), MODEL_OUTAGE, or the signal's reason. */
export async function digestModel(options: DigestOptions): Promise<ModelDigest> {
  const { modelId, path } = options
  const hash = createHash('sha256')
  const mark = new WeightsMark()
  let sizeBytes = await hashFile(path, hash, options.maxBytes, options, piece => mark.look(piece))
  if (sizeBytes === 0) throw unusableModel(modelId, `${path} is empty (0 bytes)`, 'Copy the file again')
  const locations = mark.found ? await weightsOf(path, options) : []
  for (const location of locations) {
    const weights = externalPath(path, location)
    await options.allowWeights!(weights, dirname(path))
    sizeBytes += await hashFile(weights, hash, options.maxBytes - sizeBytes, options)
  }
  return { sizeBytes, sha256: hash.digest('hex') }
}

/** Rejects MODEL_UNUSABLE for a model with files of weights where it must be one file. */
export async function requireOneFile(
  path: string,
  options: Omit<DigestOptions, 'path' | 'allowWeights'>,
): Promise<void> {
  await weightsOf(path, { ...options, allowWeights: undefined })
}

async function weightsOf(path: string, options: Omit<DigestOptions, 'path'>): Promise<readonly string[]> {
  const { modelId, signal, allowWeights } = options
  const bytes = await readFile(path, { signal }).catch((error: unknown) => {
    signal.throwIfAborted()
    throw fileProblem(modelId, path, error)
  })
  const locations = [...new Set(externalTensors(bytes).map(({ location }) => location))].sort()
  if (locations.length === 0 || allowWeights !== undefined) return locations
  throw unusableModel(
    modelId,
    `it keeps weights in other files (${locations.map(location => `'${location}'`).join(', ')}), which are not fetched`,
    'Save it as one file, e.g. onnx.save(model, path, save_as_external_data=False), or put it into a folder of modelRoots',
  )
}

async function hashFile(
  path: string,
  hash: Hash,
  maxBytes: number,
  { modelId, signal, onRead }: Pick<DigestOptions, 'modelId' | 'signal' | 'onRead'>,
  onPiece?: (piece: Uint8Array) => void,
): Promise<number> {
  let file: FileHandle | undefined
  try {
    // A pipe would keep whoever opens it until somebody writes.
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    const found = await file.stat()
    if (!found.isFile()) throw unusableModel(modelId, `${path} is no file`, 'Publish the path of a file')
    if (found.size > maxBytes) throw tooLarge(modelId, found.size, maxBytes)
    const buffer = Buffer.allocUnsafe(PIECE_BYTES)
    for (let size = 0; ; ) {
      signal.throwIfAborted()
      const { bytesRead } = await file.read(buffer, 0, buffer.length, size)
      if (bytesRead === 0) return size
      size += bytesRead
      if (size > maxBytes) throw tooLarge(modelId, size, maxBytes)
      const piece = buffer.subarray(0, bytesRead)
      hash.update(piece)
      onPiece?.(piece)
      onRead?.(size, found.size)
    }
  } catch (error) {
    if (isSystemError(error)) throw fileProblem(modelId, path, error)
    throw error
  } finally {
    await file?.close()
  }
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string'
}

/** More bytes than are allowed, or than were announced. */
export function tooLarge(modelId: string, got: number, maxBytes: number): RunInferenceError {
  return unusableModel(
    modelId,
    `it is too large: expected at most ${maxBytes} bytes (maxModelBytes), got ${got} or more`,
    'Publish a smaller one, or raise maxModelBytes',
  )
}

/** Throws MODEL_UNUSABLE for other bytes than those that were published. */
export function requirePublished({ modelId, sha256, sizeBytes }: WantedModel, got: ModelDigest): void {
  const remedy = 'The file is not the one that was published: put that one back, or publish this one'
  if (sizeBytes !== undefined && sizeBytes !== got.sizeBytes)
    throw unusableModel(modelId, `expected ${sizeBytes} bytes, got ${got.sizeBytes}`, remedy)
  if (sha256 !== undefined && sha256 !== got.sha256)
    throw unusableModel(modelId, `expected sha256 ${sha256}, got ${got.sha256}`, remedy)
}
