// The files of the image, laid out as the Dockerfile says, run as the image runs them: by a stranger who may write nothing.
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { parseDockerfile } from '../../scripts/dockerfile.ts'
import { type ImageTree, layOutImage } from '../../scripts/image-tree.ts'
import { freePorts } from '../../src/cluster/ports.ts'
import { root } from '../repo/source-files.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'

const NOBODY = 65_532
const MAX_MEGABYTES = 90

const cluster = await testCluster()

describe('the image, without Docker', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kri-image-'))
  let image: ImageTree
  let children: ChildProcess[] = []

  before(() => {
    image = layOutImage(join(folder, 'root'))
    // From the base image: Node. From the user: a topology and what it needs.
    mkdirSync(join(image.folder, 'usr', 'bin'), { recursive: true })
    cpSync(process.execPath, join(image.folder, 'usr', 'bin', 'node'))
    const app = join(image.folder, image.workdir)
    cpSync(join(root, 'test', 'package', 'consumer', 'digits.js'), join(app, 'topologies', 'digits.js'))
    cpSync(join(root, 'schemas'), join(app, 'schemas'), { recursive: true })
    cpSync(join(root, 'models', 'digits-mlp-v1.onnx'), join(app, 'models', 'digits-mlp-v1.onnx'))
    chmodSync(folder, 0o755)
    // Root, who may write anything, becomes somebody else; anybody else loses the right to write.
    if (process.getuid?.() !== 0) execFileSync('chmod', ['-R', 'a-w', image.folder])
  })
  after(() => {
    for (const child of children) child.kill('SIGKILL')
    children = []
    execFileSync('chmod', ['-R', 'u+w', folder])
    rmSync(folder, { recursive: true, force: true })
  })

  /** What the image's Node is given in a container. */
  function start(args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess & { log: () => string } {
    const inTree = args.map(arg => (arg.startsWith(`${image.workdir}/`) ? join(image.folder, arg) : arg))
    const child = spawn(join(image.folder, 'usr', 'bin', 'node'), inTree, {
      cwd: join(image.folder, image.workdir),
      env: { ...image.env, KRI_HTTP_HOST: '127.0.0.1', HOME: '/nonexistent', TMPDIR: image.folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}),
    })
    children.push(child)
    let log = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        log += text
      })
    return Object.assign(child, { log: () => log })
  }
  /** The arguments of Node; the init before it belongs to the container. */
  const kri = (...args: readonly string[]) => [...image.entrypoint.slice(image.entrypoint.indexOf('node') + 1), ...args]

  it('is small, and holds no file of tests, sources, or other systems', t => {
    t.diagnostic(`${image.files} files, ${(image.bytes / 1e6).toFixed(1)} MB beside the base image`)
    assert.ok(image.bytes < MAX_MEGABYTES * 1e6, `${image.bytes} bytes`)
    const app = join(image.folder, image.workdir)
    const ours = ['LICENSE', 'dist', 'models', 'node_modules', 'package.json', 'schemas', 'topologies']
    assert.deepEqual(readdirSync(app).sort(), ours)
    const bin = join(app, 'node_modules', 'onnxruntime-node', 'bin', 'napi-v6')
    assert.deepEqual(readdirSync(bin), [process.platform])
    assert.deepEqual(readdirSync(join(bin, process.platform)), [process.arch])
    for (const name of ['typescript', 'testcontainers', 'node', 'fast-check'])
      assert.ok(!readdirSync(join(app, 'node_modules')).includes(name), name)
  })

  it('helps when it is started with nothing', async () => {
    const child = start(kri(...image.cmd), {})
    assert.deepEqual(await once(child, 'close'), [0, null])
    assert.match(child.log(), /Usage: kri/)
  })

  it('becomes ready on real brokers, passes its health check, drains on its stop signal, and writes nothing', {
    skip: cluster.skip,
  }, async () => {
    const instructions = parseDockerfile(readFileSync(join(root, 'Dockerfile'), 'utf8')).at(-1)!.instructions
    const textOf = (name: string) => instructions.find(instruction => instruction.name === name)!.text
    const [port] = await freePorts(1)
    const env = {
      KRI_BROKERS: cluster.brokers.join(),
      KRI_REGISTRY_URL: cluster.registryUrl,
      KRI_HTTP_PORT: String(port),
    }
    const topology = ['topologies/digits.js', '--param', `prefix=${cluster.prefix}`]
    const before = filesOf(image.folder)
    const apply = start(kri('topics', 'apply', ...topology, '--schemas'), env)
    assert.deepEqual(await once(apply, 'close'), [0, null], apply.log())

    const instance = start(kri('run', ...topology), env)
    const readyz = async () => (await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined))?.status
    await eventually('the instance is ready', async () => (await readyz()) === 200, 30_000)
    const check = JSON.parse(textOf('HEALTHCHECK').replace(/^.*CMD /, '')) as string[]
    const health = start(check.slice(1), env)
    assert.deepEqual(await once(health, 'close'), [0, null], health.log())

    instance.kill(textOf('STOPSIGNAL') as NodeJS.Signals)
    assert.deepEqual(await once(instance, 'close'), [0, null], instance.log())
    assert.deepEqual(filesOf(image.folder), before)
  })
})

/** Every file with its size and time. */
function filesOf(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(path => {
    const { size, mtimeMs } = statSync(join(folder, path))
    return `${path} ${size} ${mtimeMs}`
  })
}
