/** How a new project comes by this package: the clone that runs, the tarball it was installed from, else its version. */
import { readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const NAME = 'kafka-run-inference'

/** Two folders up from the sources and from the build alike. */
export const packageFolder = fileURLToPath(new URL('../../', import.meta.url))
const modulesFolder = resolve(packageFolder, '..')

/** False in a clone, which others use as it was built last. */
export const isInstalled = packageFolder.includes(join('/', 'node_modules', '/'))

/** What stands beside our name in the package.json of a project in this folder. */
export function dependencySpec(target: string, version: string): string {
  const file = isInstalled ? tarball() : packageFolder
  return file === undefined ? `^${version}` : `file:${relative(target, file)}`
}

/** The file that npm installed this package from; undefined where it came from a registry, or by other means. */
function tarball(): string | undefined {
  try {
    const { packages } = JSON.parse(readFileSync(join(modulesFolder, '.package-lock.json'), 'utf8'))
    const resolved: unknown = packages[`node_modules/${NAME}`]?.resolved
    if (typeof resolved !== 'string' || !resolved.startsWith('file:')) return undefined
    return resolve(modulesFolder, '..', resolved.slice('file:'.length))
  } catch {
    // Another package manager: the version is what is known.
    return undefined
  }
}
