/** What went wrong when a topology module was imported, in words that lead to the line. */
import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, extname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ImportTrace } from './import-trace.ts'
import { nearestName } from './nearest-name.ts'
import type { Problem } from './problem.ts'

const OWN_NAME = 'kafka-run-inference'
const MODULE = /\.[cm]?[jt]s$/

/** What is wrong with a path before anything is imported; undefined when there is such a module. */
export function pathProblem(file: string): Problem | undefined {
  const stats = statSync(file, { throwIfNoEntry: false })
  const expected = 'a topology module (.ts, .mts, .js, .mjs or .cjs)'
  if (stats === undefined) {
    return { where: file, what: 'there is no such file', expected, got: 'nothing', remedy: pathSuggestion(file) }
  }
  if (stats.isDirectory())
    return { where: file, what: 'it is a folder', expected, got: 'a folder', remedy: modulesIn(file) }
  if (MODULE.test(file)) return undefined
  const got = extname(file) === '' ? 'a file without extension' : `a ${extname(file)} file`
  return { where: file, what: 'it is no module', expected, got, remedy: modulesIn(dirname(file)) }
}

/** The error of an import as a problem with the file and line. */
export function importProblem(file: string, error: unknown, trace: ImportTrace): Problem {
  const message = (error instanceof Error ? error.message : String(error)).split('\n')[0]!
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const where = placeOf(error, trace) ?? file
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') {
    return {
      where,
      what: 'Node cannot run this by removing its types',
      expected: 'TypeScript without enums, namespaces with code, parameter properties and decorators',
      got: message.replace(/ is not supported in strip-only mode$/, ''),
      remedy: 'Write it in JavaScript (const Colour = { Red: 0 } as const), or build the module with tsc first',
    }
  }
  if (code === 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING') {
    const remedy = 'Import the JavaScript that the package was built to'
    return { where, what: 'Node does not run TypeScript inside node_modules', got: message, remedy }
  }
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return missingImport(file, message)
  if (error instanceof SyntaxError) {
    if (/does not provide an export named/.test(message))
      return {
        where,
        what: 'it imports a name that is not there',
        got: message,
        remedy: 'Export it there, or import another name',
      }
    const at = code === undefined ? (syntaxPlace(trace) ?? where) : where
    return { where: at, what: 'the syntax is wrong', got: message, remedy: 'Correct the line' }
  }
  if (
    error instanceof ReferenceError &&
    /^(require|module|exports|__dirname|__filename) is not defined/.test(message)
  ) {
    return {
      where,
      what: 'it is CommonJS inside an ES module',
      expected: 'import and export',
      got: message.split(' ')[0]!,
      remedy: 'Write import … from and export default, or rename the file to .cjs',
    }
  }
  const [cycle] = trace.cycles()
  if (error instanceof ReferenceError && cycle !== undefined && /before initialization/.test(message))
    return {
      ...cycleProblem(cycle),
      where,
      got: message,
    }
  const name = error instanceof Error ? `${error.name}: ` : `a thrown ${typeof error}: `
  return {
    where,
    what: 'the module throws when it is imported',
    got: `${name}${message}`,
    remedy: 'Correct it there; a topology module only describes the graph, and must not need anything from outside',
  }
}

export function cycleProblem(cycle: readonly string[]): Problem {
  return {
    where: short(cycle[0]!),
    what: `the imports make a circle: ${cycle.map(short).join(' -> ')}`,
    remedy: 'Move what both need into a file of its own, and import that',
  }
}

function missingImport(file: string, message: string): Problem {
  const [, kind, target, importer] = /Cannot find (module|package) '([^']+)' imported from (\S+)/.exec(message) ?? []
  const where = importer === undefined ? file : short(importer)
  if (kind === 'package') {
    const near = nearestName(
      target!,
      installedPackages(importer!).filter(name => name !== target),
    )
    const remedy = near === undefined ? `npm install ${target}` : `Did you mean ${near}? If not: npm install ${target}`
    return { where, what: `it imports the package ${target}, which is not installed`, remedy }
  }
  const path = target === undefined ? '' : short(target)
  const remedy = target === undefined ? 'Check its imports' : pathSuggestion(target)
  return {
    where,
    what: `it imports ${path}, which does not exist`,
    got: target === undefined ? message : 'nothing',
    remedy,
  }
}

/** Names that a module could import: this package, and what is in the node_modules folders above the module. */
function installedPackages(importer: string): readonly string[] {
  const names = [OWN_NAME]
  for (let folder = dirname(importer); ; folder = dirname(folder)) {
    const modules = join(folder, 'node_modules')
    for (const name of foldersOf(modules)) {
      if (name.startsWith('@')) names.push(...foldersOf(join(modules, name)).map(inner => `${name}/${inner}`))
      else names.push(name)
    }
    if (folder === dirname(folder)) return names
  }
}

function foldersOf(path: string): readonly string[] {
  try {
    return readdirSync(path).filter(name => !name.startsWith('.'))
  } catch {
    // There is none here.
    return []
  }
}

/** file:line of the first frame in the files of the module, or of the arrow that Node prints above a syntax error. */
function placeOf(error: unknown, trace: ImportTrace): string | undefined {
  const stack = error instanceof Error && typeof error.stack === 'string' ? error.stack : ''
  const frames = [...stack.matchAll(/(?:^|\(|at )((?:file:\/\/)?\/[^\s)]+?):(\d+)(?::\d+)?\)?$/gm)].map(
    ([, path, line]) => ({
      path: path!.startsWith('file:') ? fileURLToPath(path!) : path!,
      line,
    }),
  )
  const frame = frames.find(({ path }) => trace.files().includes(path))
  return frame && `${short(frame.path)}:${frame.line}`
}

/** V8 does not say where a JavaScript file is wrong, `node --check` does. */
function syntaxPlace(trace: ImportTrace): string | undefined {
  for (const file of trace.files().filter(path => /\.[cm]?js$/.test(path))) {
    const { status, stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8', timeout: 5_000 })
    const line = /^.+:(\d+)$/m.exec(stderr)?.[1]
    if (status !== 0 && line !== undefined) return `${short(file)}:${line}`
  }
  return undefined
}

function pathSuggestion(file: string): string {
  const folder = dirname(file)
  const names = modulesOf(folder)
  const stem = (name: string) => basename(name, extname(name))
  const nearStem = nearestName(stem(file), names.map(stem))
  const near = names.find(name => stem(name) === nearStem)
  return near === undefined ? modulesIn(folder) : `Did you mean ${short(join(folder, near))}?`
}

function modulesIn(folder: string): string {
  const names = modulesOf(folder)
  return names.length === 0
    ? `Check the path: there is no module in ${short(folder)}`
    : `Modules in ${short(folder)}: ${names.slice(0, 10).join(', ')}`
}

function modulesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter(name => MODULE.test(name))
  } catch {
    // No such folder either: nothing can be suggested from it.
    return []
  }
}

function short(path: string): string {
  const from = relative(process.cwd(), path)
  return from === '' ? '.' : from.startsWith('..') ? path : from
}
