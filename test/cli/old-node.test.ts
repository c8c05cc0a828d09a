import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../repo/source-files.ts'

const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const oldest = Number(/^>=(\d+)$/.exec(engines.node)![1])

function kri(version: string) {
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`
  const bin = join(root, 'src', 'cli', 'bin.ts')
  const args = [
    '--conditions=kri-source',
    '--import',
    `data:text/javascript,${encodeURIComponent(pretend)}`,
    bin,
    '--version',
  ]
  return spawnSync(process.execPath, args, { encoding: 'utf8' })
}

test('on a Node older than package.json says, kri says what it needs instead of failing on what is missing', () => {
  const { status, stdout, stderr } = kri(`${oldest - 1}.9.9`)
  assert.deepEqual([status, stdout], [1, ''])
  assert.match(stderr, new RegExp(`^kri: Node ${oldest} or newer is needed, this is v`))
})

test('on that Node it runs', () => {
  const { status, stdout } = kri(`${oldest}.0.0`)
  assert.equal(status, 0)
  assert.match(stdout, /^\d+\.\d+\.\d+/)
})
