import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

const ROW = /^\| (\S+) \| (\d+) \| ([0-9a-f]{64}) \|$/gm

for (const folder of ['models', 'data']) {
  test(`${folder}/README.md has every file of its folder, with its bytes and checksum, and says what it is`, () => {
    const readme = readFileSync(`${folder}/README.md`, 'utf8')
    const said = [...readme.matchAll(ROW)].map(([, name, bytes, sha256]) => `${name} ${bytes} ${sha256}`)
    const there = readdirSync(folder).filter(name => name !== 'README.md')
    const facts = there.map(name => {
      const bytes = readFileSync(`${folder}/${name}`)
      return `${name} ${bytes.length} ${createHash('sha256').update(bytes).digest('hex')}`
    })
    assert.deepEqual(said, facts.sort())
    for (const name of there)
      assert.ok(readme.split(name).length > 2, `${name} is not described in ${folder}/README.md`)
  })
}
