// TypeScript in the documents: a block that names a file in its first line stands in that file; any other is a module that
// type-checks as it stands.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { tsconfigFile } from '../../src/cli/init-project.ts'
import { documents, type Snippet, snippets } from './documents.ts'
import { root } from './source-files.ts'

const all = documents().flatMap(document => snippets(document, 'ts'))
const named = (snippet: Snippet) => /^\/\/ ([\w./-]+\.ts)\n/.exec(snippet.text)?.[1]

describe('TypeScript in the documents', () => {
  test('there is some', () => {
    assert.ok(all.some(named))
  })

  for (const snippet of all.filter(named)) {
    const file = named(snippet)!
    test(`${snippet.where} stands in ${file}`, () => {
      assert.ok(existsSync(join(root, file)), `there is no ${file}`)
      const body = snippet.text.slice(snippet.text.indexOf('\n') + 1)
      if (readFileSync(join(root, file), 'utf8').includes(body)) return
      assert.equal(body, readFileSync(join(root, file), 'utf8'), 'neither the file nor a part of it')
    })
  }

  test('what names no file type-checks', t => {
    const folder = mkdtempSync(join(tmpdir(), 'kri-snippets-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    mkdirSync(join(folder, 'topologies'))
    mkdirSync(join(folder, 'test'))
    mkdirSync(join(folder, 'node_modules', '@types'), { recursive: true })
    symlinkSync(root, join(folder, 'node_modules', 'kafka-run-inference'))
    symlinkSync(join(root, 'node_modules', '@types', 'node'), join(folder, 'node_modules', '@types', 'node'))
    symlinkSync(join(root, 'schemas'), join(folder, 'schemas'))
    writeFileSync(join(folder, 'tsconfig.json'), tsconfigFile)
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    for (const { where, text } of all.filter(snippet => !named(snippet))) {
      const name = where.replaceAll(/[^\w]+/g, '-')
      writeFileSync(join(folder, 'topologies', `${name}.ts`), `${text}\nexport {}\n`)
    }
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    // Of unused variables only a real file is to be blamed.
    const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', '.', '--customConditions', 'kri-source'], {
      cwd: folder,
      encoding: 'utf8',
    })
    const own = stdout.split('\n').filter(line => line.startsWith('topologies/'))
    assert.deepEqual(own, [])
    // No input at all is an error of its own.
    assert.ok(status === 0 || all.every(named), stdout)
  })
})
