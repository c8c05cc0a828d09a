/**
 * The files of the page, read into a list of names: what is not in it cannot be asked for, so no path of a request ever
 * reaches the file system. From source, types are stripped and modules have the names that they have when they are built.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface PageAsset {
  readonly contentType: string
  readonly body: Buffer
  /** Of the content, quoted as the header has it. */
  readonly etag: string
}

const FOLDER = fileURLToPath(new URL('./page/', import.meta.url))
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}
/** What the page uses of others, under names of its own. */
const LIBRARIES: readonly (readonly [name: string, file: string])[] = [
  ['uplot.js', 'uplot/dist/uPlot.esm.js'],
  ['uplot.css', 'uplot/dist/uPlot.min.css'],
]
const IMPORTED_SOURCE = /(\bfrom\s*|\bimport\s*\(?\s*)(['"])(\.\/[\w/-]+)\.ts\2/g

/** Every file of the page by its name; `index.html` is also the empty name. */
export function readPageAssets(): ReadonlyMap<string, PageAsset> {
  const assets = new Map<string, PageAsset>()
  for (const file of readdirSync(FOLDER)) {
    if (file.endsWith('.d.ts')) continue
    const text = readFileSync(join(FOLDER, file), 'utf8')
    if (file.endsWith('.ts')) assets.set(file.replace(/\.ts$/, '.js'), assetOf('.js', scriptOf(text)))
    else if (CONTENT_TYPES[extname(file)] !== undefined) assets.set(file, assetOf(extname(file), text))
  }
  for (const [name, file] of LIBRARIES)
    assets.set(name, assetOf(extname(name), readFileSync(fileURLToPath(import.meta.resolve(file)), 'utf8')))
  const index = assets.get('index.html')
  if (index !== undefined) assets.set('', index)
  return assets
}

function assetOf(kind: string, text: string): PageAsset {
  const body = Buffer.from(text)
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
  return { contentType: CONTENT_TYPES[kind]!, body, etag }
}

function scriptOf(source: string): string {
  // Node says once that this function may change. It is for development only: a release has what the compiler wrote.
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return stripTypeScriptTypes(source).replace(IMPORTED_SOURCE, '$1$2$3.js$2')
  } finally {
    process.emitWarning = emitWarning
  }
}
