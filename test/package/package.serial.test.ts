// The package as its users get it: built, packed, installed into an empty project, used from JavaScript and TypeScript.
import assert from 'node:assert/strict'
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { root } from '../repo/source-files.ts'
import { testCluster } from '../support/cluster.ts'
import { startFakeDockerEngine } from '../support/fake-docker-engine.ts'
import { npm, runIn } from '../support/npm.ts'

const IMAGES = 540
const cluster = await testCluster()
const folder = mkdtempSync(join(tmpdir(), 'kri-package-'))
const project = join(folder, 'project')
const kri = join(project, 'node_modules', '.bin', 'kri')
let tarball: string
let packed: readonly string[] = []

before(async () => {
  // With the check of types: a package is not built from sources that are wrong.
  await npm(['run', 'build'], root)
  const [{ filename, files }] = JSON.parse(
    await npm(['pack', '--ignore-scripts', '--json', '--pack-destination', folder], root),
  ) as [{ filename: string; files: { path: string }[] }]
  tarball = join(folder, filename)
  packed = files.map(({ path }) => path)
  for (const used of ['models/digits-mlp-v1.onnx', 'schemas', 'data']) {
    mkdirSync(project, { recursive: true })
    cpSync(join(root, used), join(project, used), { recursive: true })
  }
  cpSync(join(root, 'test', 'package', 'consumer'), project, { recursive: true })
  writeFileSync(join(project, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }')
  await npm(['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], project)
})
after(() => rmSync(folder, { recursive: true, force: true }))

describe('what the tarball holds', () => {
  it('is what was built, the documents, what kri init copies, and nothing else', () => {
    const allowed =
      /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|docs\/[^/]+\.md|dist\/.+\.(js|d\.ts)|dist\/console\/page\/[\w-]+\.(html|css|svg))$/
    assert.deepEqual(packed.filter(path => !allowed.test(path)).toSorted(), [
      'data/digits-test.ndjson',
      'models/digits-mlp-v2.onnx',
      'schemas/digit-prediction.avsc',
      'schemas/digit.avsc',
    ])
    for (const file of ['LICENSE', 'README.md', 'CHANGELOG.md', 'docs/errors.md', 'dist/console/page/index.html'])
      assert.ok(packed.includes(file), file)
  })

  it('has every entry point that package.json names', () => {
    const { bin, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const targets = [...Object.values(bin), ...Object.values(exports).flatMap(entry => built(entry as string | object))]
    assert.ok(targets.length >= 6)
    for (const target of targets as string[]) assert.ok(packed.includes(target.replace('./', '')), target)
  })

  // Projects that link to a clone have its file for their command, and npm looks at it only once.
  it('is built with a command that can be run', { skip: process.platform === 'win32' }, () => {
    accessSync(join(root, 'dist', 'cli', 'bin.js'), constants.X_OK)
  })

  it('has types for every module, and names no source that is not there', () => {
    const modules = packed.filter(path => path.endsWith('.js'))
    for (const path of modules) {
      assert.ok(packed.includes(path.replace(/\.js$/, '.d.ts')), `types of ${path}`)
      // A name that is put in ("$") is of a file that kri init writes.
      assert.doesNotMatch(readFileSync(join(root, path), 'utf8'), /sourceMappingURL|from '\.[^'$]*\.ts'/, path)
    }
  })

  it('installs nothing that only tests and development need', () => {
    for (const name of ['testcontainers', 'typescript', 'fast-check'])
      assert.ok(!existsSync(join(project, 'node_modules', name)), name)
  })
})

describe('the installed package', () => {
  it('runs a JavaScript topology on the test driver', async () => {
    const { code, stdout, stderr } = await runIn(project, process.execPath, ['on-driver.js'])
    assert.equal(stdout.trim(), `${IMAGES} of ${IMAGES}`, stderr)
    assert.equal(code, 0, stderr)
  })

  it('type-checks in a strict TypeScript project that checks libraries too', async () => {
    const typeRoots = join(root, 'node_modules', '@types')
    const tsc = join(root, 'node_modules', '.bin', 'tsc')
    const { code, stdout } = await runIn(project, tsc, ['-p', '.', '--typeRoots', typeRoots])
    assert.equal(code, 0, stdout)
  })

  it('writes a new topology that depends on the tarball it was installed from, and whose test passes with it', async () => {
    await npm(['exec', '--offline', '--', 'kri', 'init', 'fresh', '--codec', 'avro'], project)
    const { dependencies } = JSON.parse(readFileSync(join(project, 'fresh', 'package.json'), 'utf8'))
    const spec: string = dependencies['kafka-run-inference']
    assert.match(spec, /^file:/)
    assert.equal(resolve(project, 'fresh', spec.slice('file:'.length)), tarball)
    // What stands in the folder above is found from there too.
    const { code, stdout } = await runIn(join(project, 'fresh'), process.execPath, ['--test'])
    assert.equal(code, 0, stdout)
  })

  it('brings the command kri, with the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    assert.equal((await npm(['exec', '--offline', '--', 'kri', '--version'], project)).trim(), version)
  })

  it('checks a topology, with an example through the real model, without a cluster', async () => {
    const example = ['--example', 'data/digits-test.ndjson', '--key-field', 'id']
    const { code, stdout, stderr } = await runIn(project, kri, [
      'check',
      'digits.js',
      '--offline',
      ...example,
      '--json',
    ])
    assert.equal(code, 0, stdout + stderr)
    assert.equal(JSON.parse(stdout).ok, true)
  })

  for (const isolation of ['thread', 'process']) {
    it(`runs a handler of the user’s own in a ${isolation}, which imports its topology again`, async () => {
      writeFileSync(join(project, 'numbers.ndjson'), '{"value":1}\n{"value":21}\n')
      const topology = ['handler.js', '--param', `isolation=${isolation}`]
      const args = ['check', ...topology, '--offline', '--example', 'numbers.ndjson', '--json']
      const { code, stdout, stderr } = await runIn(project, kri, args)
      assert.equal(code, 0, stdout + stderr)
      const [{ records, failed, shown }] = JSON.parse(stdout).examples
      assert.deepEqual([records, failed, shown.produced[0].value], [2, 0, { doubled: 2 }])
    })
  }

  it('says how to have the cluster in containers, whose library it does not bring', async () => {
    const engine = await startFakeDockerEngine('never asked for')
    try {
      const env = {
        DOCKER_HOST: engine.host,
        KRI_CACHE_FOLDER: join(folder, 'cache'),
        KRI_BROKERS: '',
        KRI_REGISTRY_URL: '',
      }
      const { code, stderr } = await runIn(project, kri, ['cluster', 'up', '--docker'], env)
      assert.equal(code, 1, stderr)
      assert.match(stderr, /CLUSTER_UNAVAILABLE.* npm install --save-dev testcontainers@12/)
    } finally {
      await engine.close()
    }
  })

  it('classifies digits on real brokers, its lanes started from the built files', { skip: cluster.skip }, async () => {
    const common = ['--brokers', cluster.brokers.join(), '--registry-url', cluster.registryUrl]
    const topology = ['digits.js', '--param', `prefix=${cluster.prefix}`, '--param', 'isolation=process', ...common]
    for (const args of [
      ['topics', 'apply', ...topology, '--schemas', '--partitions', '2'],
      ['produce', ...topology, '--file', 'data/digits-test.ndjson', '--key-field', 'id'],
      ['run', ...topology, '--until-end', '--http-port', 'off'],
    ]) {
      const { code, stderr } = await runIn(project, kri, args)
      assert.equal(code, 0, `kri ${args.join(' ')}\n${stderr}`)
    }
    assert.equal(await written('predictions'), IMAGES)
    for (const stage of ['preprocess', 'inference', 'postprocess'])
      assert.equal(await written(`digits.classify.failed-${stage}`), 0, stage)
  })
})

async function written(topic: string): Promise<number> {
  const parts = { brokers: cluster.brokers, clientId: 'package', logger: silentLogger, clock: systemClock }
  const port = createKafkaPort({ ...parts, random: Math.random })
  try {
    const offsets = await port.admin.offsets(cluster.prefix + topic)
    return offsets.reduce((sum, { start, end }) => sum + end - start, 0)
  } finally {
    await port.close()
  }
}

/** The targets of an entry of `exports` that an installed package is asked for. */
function built(entry: string | object): readonly string[] {
  if (typeof entry === 'string') return [entry]
  const { 'kri-source': _, ...targets } = entry as Record<string, string>
  return Object.values(targets)
}
