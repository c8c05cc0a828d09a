// What `kri init` writes, taken as a newcomer would: types checked, checked by `kri check`, its own test run.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { testCluster } from '../support/cluster.ts'
import { startKri } from '../support/kri-process.ts'

const root = join(import.meta.dirname, '..', '..')
const { brokers, prefix, registryUrl, skip } = await testCluster()

describe('kri init', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kri-init-'))
  after(() => rmSync(folder, { recursive: true, force: true }))

  const kri = async (code: number, cwd: string, ...args: readonly string[]): Promise<string> => {
    const process = startKri(args, { cwd })
    assert.equal(await process.ended, code, `${process.log()}${process.output()}`)
    return process.output()
  }
  /** As `npm install` would leave it. */
  const install = async (project: string): Promise<void> => {
    await mkdir(join(project, 'node_modules', '@types'), { recursive: true })
    await symlink(root, join(project, 'node_modules', 'kafka-run-inference'))
    await symlink(join(root, 'node_modules', '@types', 'node'), join(project, 'node_modules', '@types', 'node'))
  }
  const node = (cwd: string, ...args: readonly string[]) =>
    promisify(execFile)(process.execPath, args, { cwd, env: { ...process.env, NODE_TEST_CONTEXT: undefined } }).catch(
      error => assert.fail(`${error.stdout}${error.stderr}`),
    )

  for (const codec of ['json', 'avro', 'raw']) {
    it(`--codec ${codec}: types are right, check finds nothing, its test passes, and it runs on a real broker`, async t => {
      // Topics are named after it.
      const name = `${prefix.toLowerCase()}${codec}`
      await kri(0, folder, 'init', codec, '--name', name, '--codec', codec)
      const project = join(folder, codec)
      await install(project)
      await node(project, join(root, 'node_modules/typescript/bin/tsc'), '-p', '.', '--customConditions', 'kri-source')
      await node(project, '--conditions=kri-source', '--test', 'test/**/*.test.ts')
      const topology = `topologies/${name}.ts`
      const key = codec === 'raw' ? [] : ['--key-field=id']
      const example = ['--example=data/digits.ndjson', ...key]
      await kri(0, project, 'check', topology, '--offline', ...example)
      if (skip !== false) {
        t.diagnostic(`not run on a broker: ${skip}`)
        return
      }
      const cluster = [`--brokers=${brokers.join()}`, `--registry-url=${registryUrl}`]
      await kri(0, project, 'topics', 'apply', topology, '--schemas', ...cluster)
      await kri(0, project, 'produce', topology, '--file=data/digits.ndjson', ...key, ...cluster)
      const output = await kri(0, project, 'run', topology, '--until-end', '--json', '--http-port=off', ...cluster)
      const { records, predictions, reachedEnd } = JSON.parse(output)
      assert.deepEqual({ records, predictions, reachedEnd }, { records: 100, predictions: 100, reachedEnd: true })
    })
  }

  it('replaces nothing that exists, unless told to, and then says what', async () => {
    const project = join(folder, 'taken')
    await mkdir(project)
    writeFileSync(join(project, 'README.md'), 'mine')
    const refused = JSON.parse(await kri(1, folder, 'init', 'taken', '--json'))
    assert.match(refused.error.message, /taken has README\.md already/)
    assert.equal(readFileSync(join(project, 'README.md'), 'utf8'), 'mine')
    const { created, replaced } = JSON.parse(await kri(0, folder, 'init', 'taken', '--json', '--force'))
    assert.deepEqual(replaced, ['README.md'])
    assert.ok(created.includes('topologies/taken.ts'))
  })

  it('is no project for an older Node, names its tests, and asks no registry for a command', async () => {
    const output = await kri(0, folder, 'init', 'steps')
    const project = join(folder, 'steps')
    const { devEngines, scripts } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'))
    const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    assert.deepEqual(devEngines, { runtime: { name: 'node', version: engines.node, onFail: 'error' } })
    assert.equal(scripts.test, 'node --test "test/**/*.test.ts"')
    assert.equal(scripts.kri, 'kri')
    const readme = readFileSync(join(project, 'README.md'), 'utf8')
    assert.doesNotMatch(readme, /\bnpx\b/)
    // From a clone, which has to be built first.
    for (const text of [output, readme])
      assert.match(text, /npm run build --prefix \S+\n[^`]*ONNXRUNTIME_NODE_INSTALL=skip npm install\n\s*npm test/)
  })

  it('takes its name from the folder, and says what is wrong with one that is given', async () => {
    const { name } = JSON.parse(await kri(0, folder, 'init', 'My Model!', '--json'))
    assert.equal(name, 'my-model')
    assert.match(await kri(1, folder, 'init', 'other', '--name', 'A/B', '--json'), /--name: expected small letters/)
  })
})
