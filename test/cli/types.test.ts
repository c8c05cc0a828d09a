import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, suite, type TestContext, test } from 'node:test'
import { type TypesFlags, types } from '../../src/cli/types.ts'

const folder = mkdtempSync(join(tmpdir(), 'kri-types-'))
const out = join(folder, 'types.ts')
after(() => rmSync(folder, { recursive: true }))
beforeEach(() => {
  copyFileSync('schemas/digit.avsc', join(folder, 'digit.avsc'))
  rmSync(out, { force: true })
})

/** What the command prints, and the exit code that it asks for. */
async function run(t: TestContext, flags: TypesFlags): Promise<{ text: string; exitCode: number }> {
  const print = t.mock.method(console, 'log', () => {})
  try {
    await types({ schemas: folder, ...flags })
    const text = print.mock.calls.map(call => call.arguments.join(' ')).join('\n')
    return { text, exitCode: Number(process.exitCode ?? 0) }
  } finally {
    process.exitCode = 0
    print.mock.restore()
  }
}

suite('kri types', () => {
  test('writes the file, and says when it is written already', async t => {
    assert.match((await run(t, {})).text, /^wrote .*types\.ts from 1 schemas/)
    assert.match(
      readFileSync(out, 'utf8'),
      /export interface Digit \{\n {2}\/\*\* Identifies the image\. \*\/\n {2}id: string\n/,
    )
    assert.match((await run(t, {})).text, /types\.ts is as the 1 schemas in .* say$/)
    assert.deepEqual((await run(t, { check: true })).exitCode, 0)
  })

  test('--check changes nothing, shows what differs, and ends with 1', async t => {
    const missing = await run(t, { check: true })
    assert.equal(missing.exitCode, 1)
    assert.match(missing.text, /write it with kri types \(there is no such file\)/)
    await run(t, {})
    const edited = readFileSync(out, 'utf8').replace('id: string', 'id: number')
    writeFileSync(out, edited)
    const { text, exitCode } = await run(t, { check: true })
    assert.equal(exitCode, 1)
    assert.deepEqual(text.split('\n').slice(1), ['-   id: number', '+   id: string'])
    assert.equal(readFileSync(out, 'utf8'), edited)
  })

  test('--json says the same in one object', async t => {
    const written = { out, schemas: ['digit.avsc'], equal: false, written: true }
    const { added, removed, ...rest } = JSON.parse((await run(t, { json: true })).text)
    assert.deepEqual(rest, written)
    assert.ok(added.includes('export interface Digit {'))
    assert.deepEqual(removed, [])
    const equal = { out, schemas: ['digit.avsc'], equal: true, written: false, removed: [], added: [] }
    assert.deepEqual(JSON.parse((await run(t, { json: true, check: true })).text), equal)
  })

  test('a folder without schemas is refused', async () => {
    await assert.rejects(types({ schemas: join(folder, 'none') }), {
      code: 'SETTINGS_INVALID',
      message: /cannot read the folder/,
    })
    await assert.rejects(types({ schemas: 'docs' }), { code: 'SETTINGS_INVALID', message: /no \.avsc files in docs/ })
  })
})
