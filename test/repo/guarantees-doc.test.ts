import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

const page = readFileSync('docs/guarantees.md', 'utf8')
const section = page.slice(page.indexOf('## How it is tested'))
/** `file` *name, or a part of it*. */
const named = [...section.matchAll(/`(test\/[\w./-]+\.ts)` \*([^*]+)\*/g)].map(([, file, name]) => ({
  file: file!,
  name: name!,
}))

test('every test that docs/guarantees.md names is there under that name', () => {
  assert.ok(named.length > 40)
  const missing = named.filter(({ file, name }) => {
    const tests = readFileSync(file, 'utf8').matchAll(
      /^\s*(?:test|it|suite|describe)\(\s*(?:'((?:[^'\\]|\\.)*)'|`([^`]*)`)/gm,
    )
    return ![...tests].some(([, plain, template]) => (plain ?? template)!.includes(name))
  })
  assert.deepEqual(missing, [])
})

test('every file that it names stands with the name of a test', () => {
  const files = section.match(/`test\/[^`]+`/g) ?? []
  assert.equal(files.length, named.length)
})

test('each hazard of the list has its tests, but the soak, which is a run of its own', () => {
  const rows = [...section.matchAll(/^\| (\d+) \| .* \| (.*) \|$/gm)].map(([, number, tests]) => [
    Number(number),
    tests!.includes('`test/'),
  ])
  const expected = Array.from({ length: 17 }, (_, i) => i + 1).filter(number => number !== 16)
  assert.deepEqual(
    rows,
    expected.map(number => [number, true]),
  )
})
