import assert from 'node:assert/strict'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { CheckReport } from '../../src/check/report.ts'
import { root } from '../repo/source-files.ts'
import { kriOutput } from '../support/kri-output.ts'

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'kri-check-cli-')))
after(() => rmSync(folder, { recursive: true }))
const PACKAGE = JSON.stringify(pathToFileURL(join(root, 'src/index.ts')).href)
const IMPORT = `import { bytes, float32, from, inference, onnx, topology } from ${PACKAGE}\n`
const GRAPH = "topology('t', [from('in', bytes()).to('out', bytes())])"
const EXAMPLE = ['--example', 'data/digits-test.ndjson', '--key-field', 'id']

function write(file: string, text: string): string {
  writeFileSync(join(folder, file), text)
  return join(folder, file)
}

async function check(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { code, stdout, stderr } = await kriOutput(['check', ...args, '--json'], { cwd: root, env })
  assert.equal(stderr, '')
  return { code, ...(JSON.parse(stdout) as CheckReport) }
}

describe('kri check --offline', () => {
  test('shows what the example becomes in the real codecs, functions and model, and exits 0', async () => {
    const report = await check(['topologies/digits.ts', '--offline', ...EXAMPLE])
    assert.deepEqual([report.code, report.ok, report.topology, report.offline], [0, true, 'digits', true])
    assert.deepEqual([report.problems, report.warnings, report.topics], [[], [], []])
    assert.deepEqual(
      report.schemas.map(({ schema, ok, id }) => ({ schema, ok, id })),
      [
        { schema: 'digit', ok: true, id: null },
        { schema: 'digit-prediction', ok: true, id: null },
      ],
    )
    assert.partialDeepStrictEqual(report.examples, [
      {
        source: 'digits.images',
        from: 'file',
        records: 8,
        failed: 0,
        shown: {
          origin: 'line 1 of data/digits-test.ndjson',
          key: 'digit-0001',
          produced: [{ topic: 'digits.predictions', key: 'digit-0001', value: { id: 'digit-0001', label: 1 } }],
        },
      },
    ])
  })

  test('lists the parameters that there are, also where one is missing', async () => {
    const args = ['topologies/raw-tensors.ts', '--offline', '--param', 'isolated']
    const report = await check(args)
    assert.deepEqual([report.code, report.topology], [1, null])
    assert.partialDeepStrictEqual(report.parameters.slice(-1), [{ name: 'isolated', default: false, value: true }])
    const { stdout } = await kriOutput(['check', ...args], { cwd: root })
    assert.match(
      stdout,
      /^- {2}parameters\n.*^ {3}model +path .*\(text, required\)$.*^problem: --param model: it is missing/ms,
    )
  })

  test('without an example says that only the warm-up batch was run, and needs no brokers', async () => {
    const { code, stdout, stderr } = await kriOutput(['check', 'topologies/digits.ts', '--offline'], { cwd: root })
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /example of digits\.images: none, no cluster was asked; models ran their warm-up batch alone/)
    assert.match(stdout, /^0 problems, 0 warnings in \d/m)
  })

  test('of an example that becomes a dead letter names function, code and remedy, and exits 1', async () => {
    const example = write('bright.ndjson', `${JSON.stringify({ id: 'a', pixels: Array(64).fill(99) })}\n`)
    const { code, problems, examples } = await check([
      'topologies/digits.ts',
      '--offline',
      '--example',
      example,
      '--key-field',
      'id',
    ])
    assert.equal(code, 1)
    assert.equal(problems.length, 1)
    assert.partialDeepStrictEqual(problems[0]!, { area: 'example', code: 'FUNCTION_THREW' })
    assert.match(problems[0]!.where, /^step classify, with line 1 of .*bright\.ndjson$/)
    assert.match(problems[0]!.got!, /pixels are 0 to 16, got 99, at topologies\/digits\.ts:\d+/)
    assert.partialDeepStrictEqual(examples, [{ failed: 1, shown: null }])
  })

  test('records of the example that fail alike are one problem, with how many they are', async () => {
    const lines = [17, 99, 30].map((pixel, i) => JSON.stringify({ id: `r${i}`, pixels: Array(64).fill(pixel) }))
    const example = write('all-bright.ndjson', `${lines.join('\n')}\n`)
    const args = ['topologies/digits.ts', '--offline', '--example', example, '--key-field', 'id']
    const { problems, examples } = await check(args)
    assert.equal(problems.length, 1)
    assert.match(problems[0]!.where, /^step classify, with 3 of 3 records, first line 1 of .*all-bright\.ndjson$/)
    assert.match(problems[0]!.got!, /got 17/)
    assert.partialDeepStrictEqual(examples, [{ records: 3, failed: 3 }])
  })
})

describe('kri check', () => {
  test('tells problems of settings, graph, model and parameters at once, and those of run are among them', async () => {
    const module = write(
      'bad.ts',
      `${IMPORT}const handler = onnx({ model: 'models/digits-width32.onnx', input: float32(64), output: float32(10) })
       const rows = from('in', float32(64)).runInference('s', handler, { batch: { maxSize: 0 } })
       export default topology('bad', [rows.to('in', inference())])`,
    )
    const flags = [module, '--lanes', '0', '--heartbeat-interval-ms', '20000']
    const { code, problems } = await check(flags)
    assert.equal(code, 1)
    const found = problems.map(({ area, where }) => `${area}: ${where}`)
    assert.deepEqual(found.sort(), [
      'models: model of step "s"',
      'settings: brokers',
      'settings: heartbeatIntervalMs (--heartbeat-interval-ms)',
      'settings: lanes (--lanes)',
      'topology: source "in"',
      'topology: step "s"',
    ])
    const run = await kriOutput(['run', ...flags], { cwd: root })
    assert.equal(run.code, 1)
    assert.match(run.stderr, /SETTINGS_INVALID/)
    const later = await kriOutput(['run', module, '--brokers', '127.0.0.1:1'], { cwd: root })
    assert.match(later.stderr, /TOPOLOGY_INVALID/)
    for (const problem of problems.filter(({ area }) => area === 'topology'))
      assert.ok(later.stderr.includes(problem.what))
  })

  test('of a module that cannot be loaded says so, and still looks at the settings', async () => {
    const { code, topology, problems, models } = await check(['topologies/digts.ts', '--lanes', '0', '--offline'])
    assert.deepEqual([code, topology, models], [1, null, []])
    assert.deepEqual(
      problems.map(({ area }) => area),
      ['topology', 'settings'],
    )
    assert.match(problems[0]!.remedy, /Did you mean topologies\/digits\.ts\?/)
  })

  test('names a certificate that cannot be read, and goes on without the cluster', async () => {
    const tls = ['--brokers', '127.0.0.1:1', '--tls', 'true', '--tls-ca-file', 'none.pem']
    const { code, problems, models } = await check(['topologies/digits.ts', ...tls])
    assert.equal(code, 1)
    assert.deepEqual(
      problems.map(({ area, where, what }) => [area, where, what]),
      [['settings', 'tlsCaFile (none.pem)', 'the file cannot be used']],
    )
    assert.ok(models[0]!.ok)
  })

  test('of parameters names what is missing, unknown and of the wrong kind', async () => {
    const args = ['topologies/raw-tensors.ts', '--offline', '--param', 'width=wide', '--param', 'mdoel=m.onnx']
    const { code, problems } = await check(args)
    assert.equal(code, 1)
    assert.deepEqual(
      problems.map(({ code, where, remedy }) => [code, where, remedy.split('(')[0]]),
      [
        ['SETTINGS_INVALID', '--param mdoel', 'Did you mean model?'],
        ['SETTINGS_INVALID', '--param model', 'Give it: --param model=… '],
        ['SETTINGS_INVALID', '--param width', 'Change the value'],
      ],
    )
  })

  test('names each thing that a module leaves behind when it is imported, ends all the same, and exits 1', async () => {
    const module = write(
      'effects.ts',
      `${IMPORT}import { createServer } from 'node:net'
       process.env.KRI_EFFECT = '1'
       Object.assign(globalThis, { leaked: 1 })
       process.chdir('/')
       process.on('uncaughtException', () => {})
       setInterval(() => {}, 1000)
       createServer().listen(0, '127.0.0.1')
       export default ${GRAPH}`,
    )
    const { code, problems } = await check([module, '--offline'])
    assert.equal(code, 1)
    assert.deepEqual(problems.map(({ what }) => what.replace('importing it ', '')).sort(), [
      'adds global names: leaked',
      'changes the environment: KRI_EFFECT',
      'changes the folder: /',
      'listens to events of the process: uncaughtException',
      'opens: a server, a timer',
    ])
    assert.ok(problems.every(({ where, code }) => where === module && code === 'TOPOLOGY_INVALID'))
  })

  test('warns of more threads than cores, of batches that can never be full, and of variables that nothing reads', async () => {
    const limits = ['--lanes', '512', '--max-in-flight-rows', '100', '--max-in-flight-bytes', '2048']
    const { code, warnings } = await check(['topologies/digits.ts', '--offline', ...limits], { KRI_BROKER: 'a:1' })
    assert.equal(code, 0)
    assert.deepEqual(
      warnings.map(({ what }) => what.split(':')[0]),
      [
        'no setting has this variable',
        'more threads than cores',
        'its batches can never be full',
        'a full batch does not fit the memory that records in flight may take',
      ],
    )
    assert.ok(warnings.every(({ remedy }) => remedy.length > 10))
  })

  test('refuses a wrong flag as usage, with exit code 2', async () => {
    const { code } = await kriOutput(['check', 'topologies/digits.ts', '--offlin'], { cwd: root })
    assert.equal(code, 2)
  })
})
