/**
 * From where models may come. A root is a folder, an address (`https://host/path`) or a bucket (`s3://bucket/prefix`), and holds
 * what lies beneath it: schemes and hosts are what the roots name. A root that is a file allows this file.
 */
import { realpath } from 'node:fs/promises'
import { dirname, sep } from 'node:path'
import { fileProblem, shownUrl, unusableModel } from './fetch-problems.ts'
import { type HttpLocation, locateModel, type ModelLocation } from './model-location.ts'

export interface ModelRoots {
  /** As they were given. */
  readonly texts: readonly string[]
  readonly locations: readonly ModelLocation[]
}

/** Throws MODEL_UNUSABLE for a text that is no root. */
export function rootsOf(texts: readonly string[]): ModelRoots {
  return { texts, locations: texts.map(text => locateModel(text, true)) }
}

/**
 * The roots of a topology: those of the settings and the very models that it declares; without settings the folders of these.
 * `uris` that are no locations are left out: whoever loads them says so.
 */
export function rootsOfTopology(uris: readonly string[], modelRoots: readonly string[] | undefined): ModelRoots {
  const own = uris.filter(isLocation)
  return rootsOf([...new Set(modelRoots === undefined ? own.map(folderOf) : [...modelRoots, ...own])])
}

function isLocation(uri: string): boolean {
  try {
    locateModel(uri)
    return true
  } catch {
    return false
  }
}

function folderOf(uri: string): string {
  const location = locateModel(uri)
  if (location.scheme === 'file') return dirname(location.path)
  if (location.scheme === 'http') return new URL('.', location.url).href
  return `s3://${location.bucket}/${location.key.slice(0, location.key.lastIndexOf('/') + 1)}`
}

/** Throws MODEL_UNUSABLE unless the location is beneath a root, by its text alone: nothing is looked at, so nothing is told of it. */
export function requireInside(modelId: string, location: ModelLocation, roots: ModelRoots): void {
  if (roots.locations.some(root => isBeneath(root, location))) return
  const all = roots.texts.length === 0 ? 'none is set' : roots.texts.join(', ')
  throw unusableModel(
    modelId,
    `it is not in an allowed place: expected one beneath modelRoots (${all})`,
    'Publish a model that is, or add its folder, address or bucket to modelRoots',
  )
}

/** The same for where a redirect leads. */
export function requireRedirectInside(modelId: string, url: URL, roots: ModelRoots): void {
  const location: HttpLocation = { scheme: 'http', url }
  if (roots.locations.some(root => isBeneath(root, location))) return
  throw unusableModel(
    modelId,
    `its server redirects to ${shownUrl(url)}, which is not beneath modelRoots (${roots.texts.join(', ')})`,
    'If that is right, add the address to modelRoots',
  )
}

/**
 * Throws MODEL_UNUSABLE when links lead out of the roots, or the file is missing. `also`: a folder that counts as a root, for
 * the files of weights of a model that is allowed itself.
 */
export async function requireRealInside(
  modelId: string,
  path: string,
  roots: ModelRoots,
  also?: string,
): Promise<void> {
  const real = await realOf(modelId, path)
  const folders = roots.locations.flatMap(root => (root.scheme === 'file' ? [root.path] : []))
  for (const folder of also === undefined ? folders : [...folders, also]) {
    // A root that is not there holds nothing.
    const target = await realpath(folder).catch(() => undefined)
    if (target !== undefined && isBelow(target, real, sep)) return
  }
  throw unusableModel(
    modelId,
    `${path} is a link that leads out of modelRoots (${roots.texts.join(', ')})`,
    'Put the file itself there, or add the folder that the link leads to',
  )
}

async function realOf(modelId: string, path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    throw fileProblem(modelId, path, error)
  }
}

function isBeneath(root: ModelLocation, location: ModelLocation): boolean {
  if (root.scheme === 'file') return location.scheme === 'file' && isBelow(root.path, location.path, sep)
  if (root.scheme === 's3')
    return location.scheme === 's3' && root.bucket === location.bucket && isBelow(root.key, location.key, '/')
  return (
    location.scheme === 'http' &&
    root.url.origin === location.url.origin &&
    isBelow(root.url.pathname, location.url.pathname, '/')
  )
}

/** At the border of a segment: `models` does not hold `models-old/x`. */
function isBelow(root: string, path: string, separator: string): boolean {
  if (root === '' || root === path) return true
  return path.startsWith(root.endsWith(separator) ? root : `${root}${separator}`)
}
