/** The files that a pattern matches, as a look of `watch-files.ts` takes them. */
import { glob, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { WatchedFile } from './watch-files.ts'

/** Absolute paths, in their order. What vanishes meanwhile is left out; folders are. */
export async function matchingFiles(pattern: string): Promise<readonly WatchedFile[]> {
  const files: WatchedFile[] = []
  for await (const found of glob(pattern)) {
    const path = resolve(found)
    const file = await look(path)
    if (file !== undefined) files.push(file)
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1))
}

async function look(path: string): Promise<WatchedFile | undefined> {
  try {
    const { size, mtimeMs, ctimeNs, mtimeNs, ino, isFile } = await statOf(path)
    if (!isFile) return undefined
    return { path, sizeBytes: size, modifiedMs: mtimeMs, mark: [size, mtimeNs, ctimeNs, ino].join(' ') }
  } catch (error) {
    // Gone since it was listed: the next look does not find it.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function statOf(path: string) {
  const found = await stat(path, { bigint: true })
  const { ino, ctimeNs, mtimeNs } = found
  return {
    ...{ ino, ctimeNs, mtimeNs, isFile: found.isFile() },
    ...{ size: Number(found.size), mtimeMs: Number(found.mtimeNs) / 1e6 },
  }
}
