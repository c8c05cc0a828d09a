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
    const found = await stat(path, { bigint: true })
    if (!found.isFile()) return undefined
    const { size, mtimeNs, ctimeNs, ino } = found
    return {
      ...{ path, sizeBytes: Number(size), modifiedMs: Number(mtimeNs) / 1e6, arrivedMs: Number(ctimeNs) / 1e6 },
      mark: [size, mtimeNs, ctimeNs, ino].join(' '),
    }
  } catch (error) {
    // Gone since it was listed: the next look does not find it.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
