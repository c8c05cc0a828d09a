import { globSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

export interface TestFiles {
  /** Need no cluster. */
  readonly plain: readonly string[]
  /** Share one cluster. */
  readonly onCluster: readonly string[]
  /** `*.serial.test.ts`, which have clusters of their own or keep the machine busy: one or two at a time, beside the others. */
  readonly serial: readonly string[]
  /** Those that take the shared cluster, wherever they stand. */
  readonly takers: ReadonlySet<string>
}

/** Sorts the selected files (files, folders or patterns; none = all below test/) by what they need. Throws when there is none. */
export function selectTestFiles(root: string, selected: readonly string[]): TestFiles {
  const patterns = selected.length > 0 ? selected : ['test/**/*.test.ts']
  const files = new Set<string>()
  for (const pattern of patterns) {
    const isFolder = statSync(resolve(root, pattern), { throwIfNoEntry: false })?.isDirectory() === true
    const found = globSync(isFolder ? `${pattern.replace(/\/$/, '')}/**/*.test.ts` : pattern, { cwd: root })
    if (found.length === 0) throw new Error(`no test file matches ${pattern}`)
    for (const file of found) files.add(relative(root, resolve(root, file)))
  }
  const sorted = [...files].sort()
  const takers = new Set(sorted.filter(file => takesSharedCluster(join(root, file), new Set())))
  const isSerial = (file: string) => file.endsWith('.serial.test.ts')
  return {
    plain: sorted.filter(file => !isSerial(file) && !takers.has(file)),
    onCluster: sorted.filter(file => !isSerial(file) && takers.has(file)),
    serial: sorted.filter(isSerial),
    takers,
  }
}

/** True when the file, or what it imports from test/, calls `testCluster`. */
function takesSharedCluster(file: string, seen: Set<string>): boolean {
  // What a test writes as the text of a module may name anything.
  if (seen.has(file) || !isFile(file) || file.endsWith(join('support', 'cluster.ts'))) return false
  seen.add(file)
  const text = readFileSync(file, 'utf8')
  if (/\btestCluster\(/.test(text)) return true
  const imports = text.matchAll(/^(?:import|export)\b[^'"]*['"](\.[^'"]+)['"]/gm)
  return [...imports].some(([, target]) => {
    const imported = resolve(dirname(file), target!)
    return !imported.includes(`${join('/', 'src', '/')}`) && takesSharedCluster(imported, seen)
  })
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}
