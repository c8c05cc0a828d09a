/** A model file and the files of weights beside it, read once: what was hashed is what is loaded. */
import { createHash } from 'node:crypto'
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { dirname, isAbsolute, join, normalize, resolve, sep } from 'node:path'
import { RunInferenceError } from '../errors.ts'
import type { ModelSpec } from './executor.ts'
import { type ExternalTensor, externalTensors } from './external-tensors.ts'

export interface ModelFile {
  readonly bytes: Uint8Array
  /** Files of weights, under the names that the model has for them, in the order of these names. */
  readonly external: readonly { readonly path: string; readonly data: Uint8Array }[]
  /** All files together. */
  readonly sizeBytes: number
  /** Of the model file's bytes, and behind them those of `external`; hexadecimal. */
  readonly sha256: string
}

// One read takes less than 2 GiB on every system; a file may be larger.
const READ_BYTES = 1 << 30

/** What of a spec says which bytes are loaded. */
export type ModelPlace = Pick<ModelSpec, 'uri' | 'file' | 'sha256'>

/** The file of a model, and no other bytes than it says. Throws as `readModelFile` does. */
export function readModelOf({ uri, file, sha256 }: ModelPlace): ModelFile {
  const read = readModelFile(file ?? uri, uri)
  if (sha256 === undefined || sha256 === read.sha256) return read
  throw unusable(
    `${uri} has other bytes than were published: expected sha256 ${sha256}, got ${read.sha256} in ${resolve(file ?? uri)}. ` +
      'Put the published file back, or publish this one',
  )
}

/** Throws MODEL_UNUSABLE for a file that is missing, empty, or shorter than the model needs, naming it. `uri`: how it is called. */
export function readModelFile(path: string, uri = path): ModelFile {
  const bytes = read(path, uri)
  if (bytes.byteLength === 0) throw unusable(`${uri} is empty (0 bytes). Copy the model file again`)
  const tensors = externalTensors(bytes)
  const locations = [...new Set(tensors.map(({ location }) => location))].sort()
  const external = locations.map(location => {
    const data = read(externalPath(path, location, uri), `${uri} keeps weights in '${location}', which`)
    checkSize(uri, location, data.byteLength, tensors)
    return { path: location, data }
  })
  const all = [bytes, ...external.map(({ data }) => data)]
  const hash = createHash('sha256')
  for (const part of all) hash.update(part)
  return {
    bytes,
    external,
    sizeBytes: all.reduce((sum, { byteLength }) => sum + byteLength, 0),
    sha256: hash.digest('hex'),
  }
}

/** Where a file of weights lies. A model comes from somebody else: it must not name files outside its own folder (MODEL_UNUSABLE). */
export function externalPath(path: string, location: string, uri = path): string {
  const inside = normalize(location)
  if (location !== '' && !isAbsolute(inside) && inside.split(sep)[0] !== '..') return join(dirname(path), inside)
  throw unusable(
    `${uri} keeps weights in '${location}'; expected a path inside the model's own folder. ` +
      'Save the model again with its weights beside it',
  )
}

function checkSize(uri: string, location: string, got: number, tensors: readonly ExternalTensor[]): void {
  for (const tensor of tensors) {
    const end = tensor.offset + Math.max(tensor.length, 1)
    if (tensor.location !== location || !(end > got)) continue
    throw unusable(
      `${uri} keeps weights in '${location}', which is too short: tensor '${tensor.name}' ends at byte ${end}, ` +
        `got ${got} bytes. Copy both files again`,
    )
  }
}

function read(path: string, what: string): Uint8Array {
  try {
    const file = openSync(path, 'r')
    try {
      return readAll(file)
    } finally {
      closeSync(file)
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw unusable(
      `${what} cannot be read (looked for ${resolve(path)}): ${reason}. Check the path and its rights`,
      error,
    )
  }
}

function readAll(file: number): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(fstatSync(file).size)
  let at = 0
  while (at < bytes.length) {
    const count = readSync(file, bytes, at, Math.min(bytes.length - at, READ_BYTES), at)
    if (count === 0) break
    at += count
  }
  return bytes.subarray(0, at)
}

function unusable(message: string, cause?: unknown): RunInferenceError {
  return new RunInferenceError('MODEL_UNUSABLE', `${message}.`, cause === undefined ? {} : { cause })
}
