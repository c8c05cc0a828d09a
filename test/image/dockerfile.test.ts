import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { execForm, isInContext, parseCopy, parseDockerfile, parsePairs } from '../../scripts/dockerfile.ts'
import { settingVariable } from '../../src/settings-names.ts'
import { settingsHelp } from '../../src/settings-schema.ts'
import { root } from '../repo/source-files.ts'
import { complaints, hadolint } from '../support/lint-tools.ts'

const read = (path: string) => readFileSync(join(root, path), 'utf8')
const stages = parseDockerfile(read('Dockerfile'))
const image = stages.at(-1)!
const packageJson = JSON.parse(read('package.json'))
const texts = (name: string, stage = image) =>
  stage.instructions.filter(instruction => instruction.name === name).map(({ text }) => text)
const linter = await hadolint()

describe('the Dockerfile', () => {
  it('has nothing that its linter complains about', { skip: linter.skip }, async () => {
    assert.equal(await complaints(linter.path, [join(root, 'Dockerfile')]), undefined)
  })

  it('builds and runs on the Node of development, pinned, with glibc', () => {
    const { node } = packageJson.devDependencies
    for (const { from } of stages) assert.equal(from, `node:${node}-bookworm-slim`)
  })

  it('takes from the build what runs, and nothing else', () => {
    const copied = texts('COPY').map(parseCopy)
    assert.ok(copied.every(({ from }) => from === 'build'))
    const sources = copied.flatMap(copy => copy.sources)
    assert.deepEqual(sources, ['/build/package.json', '/build/LICENSE', '/build/node_modules', '/build/dist'])
  })

  it('copies into the build what exists and .dockerignore lets in', () => {
    const context = texts('COPY', stages[0]).flatMap(text => parseCopy(text).sources)
    assert.ok(context.length > 5)
    for (const path of context) {
      assert.ok(existsSync(join(root, path)), path)
      assert.ok(isInContext(read('.dockerignore'), path), `${path} in .dockerignore`)
    }
  })

  it('runs as a user that is not root and is told by number', () => {
    assert.deepEqual(texts('USER'), ['65532:65532'])
  })

  it('starts the command of the package under an init, which hands on SIGTERM', () => {
    const started = execForm(image, 'ENTRYPOINT')
    const [workdir] = texts('WORKDIR')
    assert.deepEqual(started, ['/usr/bin/tini', '--', 'node', join(workdir!, packageJson.bin.kri)])
    assert.ok(texts('RUN').some(text => text.includes('install') && text.includes('tini=')))
    assert.deepEqual(texts('STOPSIGNAL'), ['SIGTERM'])
  })

  it('sets nothing that is no setting', () => {
    const known = new Set(settingsHelp().map(({ name }) => settingVariable(name)))
    const names = texts('ENV').flatMap(text => Object.keys(parsePairs(text)))
    assert.deepEqual(
      names.filter(name => !known.has(name)),
      ['NODE_ENV'],
    )
  })

  it('is restarted when it is not alive, not when it is not ready', () => {
    assert.match(texts('HEALTHCHECK').join(), /\/livez/)
  })
})
