/**
 * Models that were fetched, in a folder that several processes may share, and that outlives them.
 *
 * C1. A file is complete or not there: it is written under another name and renamed.
 * C2. Its name is the checksum of its bytes, which are read again before they are trusted again.
 * C3. A file in use is not removed: our own are counted, and touched every minute; those of others are younger than IDLE_MS.
 * C4. All that may be removed is, the longest unused first, until the folder holds at most `maxBytes`.
 */
import { createHash, randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../ops/clock.ts'

/** What a URI without a published checksum led to. */
export interface KnownSource {
  readonly etag: string
  readonly sha256: string
}

const TOUCH_MS = 60_000
/** Long enough for a process that was stopped for a while. */
const IDLE_MS = 5 * TOUCH_MS
/** Of what a killed process left behind, and of addresses that nobody asks for any more. */
const STALE_MS = { 'partial-': 3_600_000, 'source-': 30 * 24 * 3_600_000 }
const MODEL = /^[0-9a-f]{64}(\.[A-Za-z0-9]{1,10})?$/

export class ModelCache {
  readonly #folder: string
  readonly #maxBytes: number
  readonly #clock: Clock
  /** Users by path. */
  readonly #users = new Map<string, number>()
  #cancelTouch: (() => void) | undefined

  constructor(folder: string, maxBytes: number, clock: Clock) {
    this.#folder = folder
    this.#maxBytes = maxBytes
    this.#clock = clock
  }

  /** Where a model with this checksum is, or would be. `name`: of the file, for its extension. */
  pathOf(sha256: string, name: string): string {
    const extension = /\.[A-Za-z0-9]{1,10}$/.exec(name)?.[0] ?? ''
    return join(this.#folder, `${sha256}${extension}`)
  }

  /** A new file beside the others; rename or remove it. */
  async openPartial(): Promise<{ readonly path: string; readonly file: FileHandle }> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const path = join(this.#folder, `partial-${randomBytes(8).toString('hex')}`)
    return { path, file: await open(path, 'wx', 0o600) }
  }

  /** Takes a complete file in. */
  async keep(partial: string, path: string): Promise<void> {
    await rename(partial, path)
  }

  async remove(path: string): Promise<void> {
    await rm(path, { force: true })
  }

  /** From now on the file stays, until what is returned is called. */
  hold(path: string): () => void {
    this.#users.set(path, (this.#users.get(path) ?? 0) + 1)
    this.#cancelTouch ??= this.#clock.after(TOUCH_MS, this.#touch)
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      const left = this.#users.get(path)! - 1
      if (left > 0) this.#users.set(path, left)
      else this.#users.delete(path)
      if (this.#users.size > 0) return
      this.#cancelTouch?.()
      this.#cancelTouch = undefined
    }
  }

  /** Used now. */
  async touch(path: string): Promise<void> {
    const now = this.#clock.wallTime() / 1000
    // Gone, or not ours to touch: then it is fetched again when it is next needed.
    await utimes(path, now, now).catch(() => {})
  }

  readonly #touch = () => {
    this.#cancelTouch = this.#clock.after(TOUCH_MS, this.#touch)
    for (const path of this.#users.keys()) void this.touch(path)
  }

  async knownSource(uri: string): Promise<KnownSource | undefined> {
    try {
      const { etag, sha256 } = JSON.parse(await readFile(this.#sourceFile(uri), 'utf8')) as Record<string, unknown>
      if (typeof etag === 'string' && typeof sha256 === 'string' && MODEL.test(sha256)) return { etag, sha256 }
    } catch {
      // Not there, or no longer to be read: it is fetched as if for the first time.
    }
    return undefined
  }

  async rememberSource(uri: string, source: KnownSource): Promise<void> {
    const { path, file } = await this.openPartial()
    try {
      await file.writeFile(JSON.stringify(source))
    } finally {
      await file.close()
    }
    await rename(path, this.#sourceFile(uri))
  }

  #sourceFile(uri: string): string {
    return join(this.#folder, `source-${createHash('sha256').update(uri).digest('hex')}.json`)
  }

  /** As C4 says. Whatever cannot be looked at or removed stays. */
  async evict(): Promise<void> {
    const now = this.#clock.wallTime()
    const names = await readdir(this.#folder).catch(() => [])
    const files: { readonly path: string; readonly size: number; readonly ageMs: number }[] = []
    for (const name of names) {
      const path = join(this.#folder, name)
      const found = await stat(path).catch(() => undefined)
      if (found === undefined) continue
      const ageMs = now - found.mtimeMs
      if (MODEL.test(name)) files.push({ path, size: found.size, ageMs })
      else if (isStale(name, ageMs)) await this.remove(path).catch(() => {})
    }
    let total = files.reduce((sum, { size }) => sum + size, 0)
    for (const { path, size, ageMs } of files.sort((a, b) => b.ageMs - a.ageMs)) {
      if (total <= this.#maxBytes) return
      if (this.#users.has(path) || ageMs < IDLE_MS) continue
      await this.remove(path).catch(() => {})
      total -= size
    }
  }
}

function isStale(name: string, ageMs: number): boolean {
  return Object.entries(STALE_MS).some(([prefix, staleMs]) => name.startsWith(prefix) && ageMs > staleMs)
}
