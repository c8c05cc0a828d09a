import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const KEPT_LOG_FOLDERS = 20

/** Logs outlive their run, for a look at what went wrong; the oldest make room. */
export function newLogFolder(cacheFolder: string, run: string): string {
  const all = join(cacheFolder, 'logs')
  const folder = join(all, `${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${run}`)
  mkdirSync(folder, { recursive: true })
  for (const old of readdirSync(all).sort().slice(0, -KEPT_LOG_FOLDERS))
    rmSync(join(all, old), { recursive: true, force: true })
  return folder
}
