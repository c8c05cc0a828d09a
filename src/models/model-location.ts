/**
 * Where a published model id says that its bytes are: a path, `file:`, `http(s):` or `s3:`. The text comes from a topic, so it is
 * taken apart strictly:
 *
 * U1. What can be read in two ways is refused: control characters, steps upwards that only a server would see, drives.
 * U2. Credentials have no place in it, since predictions are labelled with it: no user, no password, no query.
 * U3. A location is in normal form: equal places have equal texts, so that roots can be compared as texts.
 */
import { isAbsolute, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RunInferenceError } from '../errors.ts'
import { unusableModel } from './fetch-problems.ts'

export type ModelLocation = FileLocation | HttpLocation | S3Location
export interface FileLocation {
  readonly scheme: 'file'
  /** Absolute, without `.` and `..`. */
  readonly path: string
}
export interface HttpLocation {
  readonly scheme: 'http'
  /** Without user, query and fragment. */
  readonly url: URL
}
export interface S3Location {
  readonly scheme: 's3'
  readonly bucket: string
  /** As it is, nothing encoded; empty only for a root. */
  readonly key: string
}

const SCHEMES = 'a path, file:///…, https://…, http://… or s3://bucket/key'
const MAX_ID_CHARS = 2_048
const MAX_KEY_BYTES = 1_024
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/
const BUCKET = /^[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]$/

/** Throws MODEL_UNUSABLE, saying what is wrong with the text. `isRoot`: a folder, a prefix or a whole bucket is meant. */
export function locateModel(modelId: string, isRoot = false): ModelLocation {
  const wrong = (what: string, remedy = `Publish the model by ${SCHEMES}`) => unusableModel(modelId, what, remedy)
  if (modelId === '') throw wrong('the text is empty')
  if (modelId.length > MAX_ID_CHARS)
    throw wrong(`it has ${modelId.length} characters, expected at most ${MAX_ID_CHARS}`)
  if (CONTROL.test(modelId) || !modelId.isWellFormed()) throw wrong('it holds control characters')
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(modelId)?.[1]?.toLowerCase()
  switch (scheme) {
    case undefined:
      return { scheme: 'file', path: resolve(modelId) }
    case 'file':
      return { scheme: 'file', path: pathOf(modelId, wrong) }
    case 'http':
    case 'https':
      return { scheme: 'http', url: urlOf(modelId, wrong) }
    case 's3':
      return bucketOf(modelId, isRoot, wrong)
    default:
      // A drive, on systems that have them.
      if (scheme.length === 1 && isAbsolute(modelId)) return { scheme: 'file', path: resolve(modelId) }
      throw wrong(`expected ${SCHEMES}, got the scheme "${scheme}:"`)
  }
}

type Wrong = (what: string, remedy?: string) => RunInferenceError

function pathOf(modelId: string, wrong: Wrong): string {
  if (!/^file:\//i.test(modelId)) throw wrong('expected file:/// and an absolute path')
  let path: string
  try {
    const url = new URL(modelId)
    if (/[?#]/.test(modelId)) throw wrong('a file has no query; write ? as %3F and # as %23')
    if (url.host !== '') throw wrong('it names a host; expected file:/// and a path of this machine')
    path = fileURLToPath(url)
  } catch (error) {
    // What cannot be decoded is a URIError, all else a TypeError.
    if (error instanceof TypeError || error instanceof URIError) throw wrong('it is no file URL')
    throw error
  }
  if (CONTROL.test(path)) throw wrong('it holds control characters')
  return resolve(path)
}

function urlOf(modelId: string, wrong: Wrong): URL {
  if (!URL.canParse(modelId)) throw wrong('it is no URL')
  const url = new URL(modelId)
  const settings = 'Publish the address alone; credentials are a matter of the settings (modelToken)'
  if (url.username !== '' || url.password !== '') throw wrong('it holds a user or password', settings)
  if (/[?#]/.test(modelId))
    throw wrong('it has a query or a fragment, which may be a signature, and ids are seen by everybody', settings)
  if (hasSteps(url.pathname)) throw wrong('it holds encoded steps (.. or .), control characters, or cannot be read')
  return url
}

/** Whether any reader of this path, however often it decodes, would find a step in it that the URL does not show. */
export function hasSteps(pathname: string): boolean {
  let path = pathname
  for (let round = 0; round < 4; round++) {
    if (CONTROL.test(path) || path.split(/[/\\]/).some(isStep)) return true
    const decoded = path.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    )
    if (decoded === path) return false
    // An encoded separator makes other segments for a server than for us.
    if (decoded.split(/[/\\]/).length !== path.split('/').length) return true
    path = decoded
  }
  return true
}

function isStep(segment: string): boolean {
  // Some servers cut a parameter off before they look.
  const name = segment.split(';')[0]!
  return name === '..' || name === '.'
}

function bucketOf(modelId: string, isRoot: boolean, wrong: Wrong): S3Location {
  const parts = /^s3:\/\/([^/]*)(?:\/(.*))?$/is.exec(modelId)
  if (parts === null) throw wrong('expected s3://bucket/key')
  const [, bucket, key = ''] = parts
  if (!BUCKET.test(bucket!)) throw wrong(`expected a bucket of 3 to 63 of a-z, 0-9, - and ., got "${bucket}"`)
  if (key === '' && !isRoot) throw wrong('it names a bucket and no key')
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) throw wrong(`its key is longer than ${MAX_KEY_BYTES} bytes`)
  if (key.split(/[/\\]/).some(isStep)) throw wrong('its key holds steps (.. or .)')
  return { scheme: 's3', bucket: bucket!, key }
}

/** The file's name behind the last slash. */
export function nameOf(location: ModelLocation): string {
  const path =
    location.scheme === 'file' ? location.path : location.scheme === 'http' ? location.url.pathname : location.key
  return path.slice(path.lastIndexOf('/') + 1)
}
