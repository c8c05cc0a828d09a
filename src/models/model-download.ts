/** The bytes of an answer into a file, counted and hashed as they come: what was announced is not believed. */
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { modelOutage, reasonOf, unusableModel } from './fetch-problems.ts'
import type { GetAnswer } from './http-get.ts'
import { type ModelDigest, tooLarge, WeightsMark } from './model-digest.ts'

export interface DownloadOptions {
  readonly modelId: string
  readonly file: FileHandle
  readonly maxBytes: number
  /** Bytes that were published. */
  readonly sizeBytes: number | undefined
  readonly signal: AbortSignal
}

export interface Downloaded extends ModelDigest {
  readonly mayHaveWeights: boolean
}

/** Rejects MODEL_UNUSABLE (too many bytes, none, another number than was published), MODEL_OUTAGE, or the signal's reason. */
export async function download({ headers, body }: GetAnswer, options: DownloadOptions): Promise<Downloaded> {
  const { modelId, file, maxBytes, sizeBytes, signal } = options
  const requireSize = (got: number, isWhole: boolean) => {
    if (got > maxBytes) throw tooLarge(modelId, got, maxBytes)
    if (sizeBytes === undefined || got === sizeBytes || (got < sizeBytes && !isWhole)) return
    throw unusableModel(
      modelId,
      `expected ${sizeBytes} bytes, got ${got}${isWhole ? '' : ' or more'}`,
      'The file is not the one that was published: put that one back, or publish this one',
    )
  }
  const hash = createHash('sha256')
  const mark = new WeightsMark()
  let size = 0
  try {
    const announced = Number(headers['content-length'] ?? Number.NaN)
    if (Number.isFinite(announced)) requireSize(announced, true)
    for await (const piece of body as AsyncIterable<Buffer>) {
      size += piece.length
      requireSize(size, false)
      hash.update(piece)
      mark.look(piece)
      await write(file, piece, modelId)
    }
  } catch (error) {
    signal.throwIfAborted()
    if (isOfConnection(error)) throw modelOutage(modelId, `it broke off after ${size} bytes: ${reasonOf(error)}`, error)
    throw error
  } finally {
    body.destroy()
  }
  if (size === 0) throw unusableModel(modelId, 'it is empty (0 bytes)', 'Upload the file again')
  requireSize(size, true)
  return { sizeBytes: size, sha256: hash.digest('hex'), mayHaveWeights: mark.found }
}

function isOfConnection(error: unknown): boolean {
  return (
    !(error instanceof Error && error.name === 'RunInferenceError') &&
    (error as NodeJS.ErrnoException).code !== undefined
  )
}

async function write(file: FileHandle, piece: Buffer, modelId: string): Promise<void> {
  try {
    await file.writeFile(piece)
  } catch (error) {
    throw modelOutage(modelId, `it cannot be written into modelCacheFolder: ${reasonOf(error)}`, error)
  }
}
