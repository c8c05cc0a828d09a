import assert from 'node:assert/strict'
import { isBuiltin } from 'node:module'
import { describe, test } from 'node:test'
import { resolveImport, type SourceFile, sourceFiles } from './source-files.ts'

const MAX_LINES = 300

const src = sourceFiles('src')
const everything = [...src, ...sourceFiles('test', 'scripts', 'bench', 'demo', 'parity', 'topologies', 'chaos', 'fuzz')]

describe('the shape of the sources', () => {
  test('there are sources to look at', () => {
    assert.ok(src.length > 50 && src.some(({ imports }) => imports.length > 3))
  })

  test(`no file is longer than ${MAX_LINES} lines`, () => {
    const long = everything.filter(({ text }) => text.split('\n').length - 1 > MAX_LINES)
    assert.deepEqual(paths(long), [])
  })

  test('each third-party library is used by one file of src, and kafkajs by one folder; types may be named elsewhere', () => {
    const importers = new Map<string, Set<string>>()
    for (const { path, imports } of src) {
      for (const { target, typeOnly } of imports) {
        // Our own name stands in what kri init writes.
        if (typeOnly || target.startsWith('.') || isBuiltin(target) || target.startsWith('kafka-run-inference'))
          continue
        const library = target.split('/', target.startsWith('@') ? 2 : 1).join('/')
        const importer = library === 'kafkajs' ? path.split('/').slice(0, 2).join('/') : path
        importers.set(library, (importers.get(library) ?? new Set()).add(importer))
      }
    }
    const shared = [...importers].filter(([, files]) => files.size > 1)
    assert.deepEqual(Object.fromEntries(shared.map(([library, files]) => [library, [...files]])), {})
    assert.deepEqual([...importers.get('kafkajs')!], ['src/kafkajs'])
  })

  test('only settings.ts reads the environment', () => {
    // Setting a variable, for a native library, is not reading one.
    const readers = src.filter(({ text }) => /\bprocess\.env\b(?!(?:\.\w+|\[\w+\]) = )/.test(withoutComments(text)))
    assert.deepEqual(paths(readers), ['src/settings.ts'])
  })

  test('nothing exports everything', () => {
    const wild = everything.filter(({ text }) => /^export \*/m.test(text))
    assert.deepEqual(paths(wild), [])
  })

  test('imports make no cycle; those of types are gone when it runs', () => {
    const graph = new Map(
      src.map(({ path, imports }) => {
        const targets = imports.filter(({ target, typeOnly }) => !typeOnly && target.startsWith('.'))
        return [path, targets.map(({ target }) => resolveImport(path, target))]
      }),
    )
    const done = new Set<string>()
    const visit = (path: string, above: readonly string[]): void => {
      const at = above.indexOf(path)
      if (at >= 0) assert.fail(`import cycle: ${[...above.slice(at), path].join(' -> ')}`)
      if (done.has(path)) return
      for (const target of graph.get(path) ?? []) visit(target, [...above, path])
      done.add(path)
    }
    for (const path of graph.keys()) visit(path, [])
  })

  test('src has one folder level; only the page of the console, which runs in browsers, is apart', () => {
    const deep = src.filter(({ path }) => path.split('/').length > 3 && !path.startsWith('src/console/page/'))
    assert.deepEqual(paths(deep), [])
  })
})

function paths(files: readonly SourceFile[]): readonly string[] {
  return files.map(({ path }) => path).sort()
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
}
