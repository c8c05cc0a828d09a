// Topology modules that cannot be used: what the message says, from a module that is not there to one that never ends.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { RunInferenceError } from '../../src/errors.ts'
import { importTopology, loadTopology } from '../../src/topology-module.ts'
import { root } from '../repo/source-files.ts'

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'kri-bad-modules-')))
after(() => rmSync(folder, { recursive: true }))
const FROM = `from ${JSON.stringify(pathToFileURL(join(root, 'src/index.ts')).href)}`
const IMPORT = `import { bytes, from, keyed, onnx, float32, integer, topology, withParameters } ${FROM}\n`
const GRAPH = "topology('t', [from('in', bytes()).to('out', bytes())])"

writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
mkdirSync(join(folder, 'empty'))
function write(file: string, text: string): string {
  writeFileSync(join(folder, file), text)
  return join(folder, file)
}
write('helper.ts', 'export const present = 1\n')
write('circle-b.ts', "import { a } from './circle-a.ts'\nexport const b = a + 1\n")
write('fine.ts', `${IMPORT}export default ${GRAPH}\n`)

interface Case {
  readonly what: string
  readonly file: string
  /** Undefined: the file is not written. */
  readonly text?: string
  /** Of the first problem: where it is (from the folder), and what its other parts say. */
  readonly where?: string
  readonly says: RegExp
  readonly expected?: RegExp
  readonly got?: RegExp
  readonly remedy: RegExp
}

const cases: readonly Case[] = [
  { what: 'is not there', file: 'fien.ts', says: /no such file/, got: /nothing/, remedy: /Did you mean .*fine\.ts\?/ },
  { what: 'is named without its extension', file: 'fine', says: /no such file/, remedy: /Did you mean .*fine\.ts\?/ },
  { what: 'has the extension of its build', file: 'fine.js', says: /no such file/, remedy: /fine\.ts\?/ },
  { what: 'is a folder', file: 'empty', says: /it is a folder/, got: /a folder/, remedy: /no module in/ },
  {
    what: 'is no module',
    file: 'package.json',
    says: /no module/,
    got: /a \.json file/,
    remedy: /Modules in .*fine\.ts/,
  },
  {
    what: 'throws',
    file: 'throws.ts',
    text: 'const a: number = 1\nfunction deep() {\n  throw new TypeError("boom " + a)\n}\ndeep()\n',
    where: 'throws.ts:3',
    says: /throws when it is imported/,
    got: /TypeError: boom 1/,
    remedy: /Correct it there/,
  },
  {
    what: 'throws a text',
    file: 'text.ts',
    text: 'throw "boom"',
    says: /throws/,
    got: /thrown string: boom/,
    remedy: /Correct/,
  },
  {
    what: 'uses the package wrongly',
    file: 'misuse.ts',
    text: `${IMPORT}const h = keyed(onnx({ model: 'm', input: float32(2), output: float32(2) }))\nexport default keyed(h as never)\n`,
    where: 'misuse.ts:3',
    says: /throws when it is imported/,
    got: /keyed already/,
    remedy: /Correct/,
  },
  {
    what: 'has a TypeScript syntax error',
    file: 'syntax.ts',
    text: 'export const a = 1\nconst b = ;\n',
    where: 'syntax.ts:2',
    says: /the syntax is wrong/,
    got: /./,
    remedy: /Correct the line/,
  },
  {
    what: 'has a JavaScript syntax error',
    file: 'syntax-js.js',
    text: '\nconst a = 1\nconst b = ;\n',
    where: 'syntax-js.js:3',
    says: /the syntax is wrong/,
    got: /Unexpected token/,
    remedy: /Correct the line/,
  },
  {
    what: 'holds an enum',
    file: 'enum.ts',
    text: 'export const a = 1\nenum Colour { Red }\nexport default Colour\n',
    where: 'enum.ts:2',
    says: /cannot run this by removing its types/,
    expected: /without enums/,
    got: /TypeScript enum/,
    remedy: /as const/,
  },
  {
    what: 'holds a parameter property',
    file: 'property.ts',
    text: 'export default class { constructor(private x: number) {} }\n',
    where: 'property.ts:1',
    says: /removing its types/,
    got: /parameter property/,
    remedy: /tsc/,
  },
  {
    what: 'imports a file that is not there',
    file: 'missing-file.ts',
    text: "import { present } from './helpr.ts'\nexport default present\n",
    where: 'missing-file.ts',
    says: /imports .*helpr\.ts, which does not exist/,
    remedy: /Did you mean .*helper\.ts\?/,
  },
  {
    what: 'imports a package that is not installed',
    file: 'missing-package.ts',
    text: "import 'no-such-package'\n",
    where: 'missing-package.ts',
    says: /the package no-such-package, which is not installed/,
    remedy: /npm install no-such-package/,
  },
  {
    what: 'imports a package whose name is misspelt',
    file: 'misspelt-package.ts',
    text: "import 'kafka-run-inferenc'\n",
    where: 'misspelt-package.ts',
    says: /the package kafka-run-inferenc, which is not installed/,
    remedy: /^Did you mean kafka-run-inference\?/,
  },
  {
    what: 'imports a name that is not exported',
    file: 'missing-name.ts',
    text: "import { absent } from './helper.ts'\nexport default absent\n",
    where: 'missing-name.ts:1',
    says: /a name that is not there/,
    got: /'absent'/,
    remedy: /Export it there/,
  },
  {
    what: 'is CommonJS in a .js file of an ES package',
    file: 'common.js',
    text: "const fs = require('node:fs')\nmodule.exports = fs\n",
    where: 'common.js:1',
    says: /CommonJS inside an ES module/,
    expected: /import and export/,
    got: /require/,
    remedy: /\.cjs/,
  },
  {
    what: 'imports itself through another before anything is there',
    file: 'circle-a.ts',
    text: "import { b } from './circle-b.ts'\nexport const a = 1\nexport default b\n",
    where: 'circle-b.ts:2',
    says: /make a circle: .*circle-a\.ts -> .*circle-b\.ts -> .*circle-a\.ts/,
    got: /before initialization/,
    remedy: /a file of its own/,
  },
  {
    what: 'exports nothing',
    file: 'nothing.ts',
    text: '',
    says: /no default export/,
    got: /none/,
    remedy: /export default topology/,
  },
  {
    what: 'exports the topology under a name',
    file: 'named.ts',
    text: `${IMPORT}export const graph = ${GRAPH}\n`,
    says: /no default export/,
    got: /an export named graph/,
    remedy: /export default graph/,
  },
  {
    what: 'exports a promise',
    file: 'promise.ts',
    text: `${IMPORT}export default Promise.resolve(${GRAPH})\n`,
    says: /the default export is no topology/,
    got: /a promise/,
    remedy: /export default await/,
  },
  {
    what: 'exports a function',
    file: 'function.ts',
    text: `${IMPORT}export default () => ${GRAPH}\n`,
    says: /no topology/,
    got: /a function/,
    remedy: /withParameters/,
  },
  {
    what: 'is compiled CommonJS with a default inside the default',
    file: 'inside.cjs',
    text: `module.exports = { default: require(${JSON.stringify(join(folder, 'fine.ts'))}).default }\n`,
    says: /no topology/,
    got: /the topology inside/,
    remedy: /module\.exports =/,
  },
  {
    what: 'exports a number',
    file: 'number.ts',
    text: 'export default 5',
    says: /no topology/,
    got: /^5$/,
    remedy: /topology/,
  },
  {
    what: 'cannot build the topology from parameters',
    file: 'builder.ts',
    text: `${IMPORT}export default withParameters({ n: integer('a number', 1) }, () => { throw new RangeError('no such n') })\n`,
    says: /cannot build the topology/,
    got: /RangeError: no such n/,
    remedy: /other parameters/,
  },
]

describe('a topology module that', () => {
  for (const { what, file, text, where, says, expected, got, remedy } of cases) {
    test(`${what} is refused with what, where, expected, got and what to do`, async () => {
      const path = text === undefined ? join(folder, file) : write(file, text)
      await assert.rejects(loadTopology(path), (error: unknown) => {
        assert.ok(error instanceof RunInferenceError, String(error))
        assert.equal(error.code, 'TOPOLOGY_INVALID')
        assert.equal(error.problems.length, 1)
        const [problem] = error.problems
        assert.equal(problem!.where, join(folder, where ?? file))
        assert.match(problem!.what, says)
        if (expected) assert.match(problem!.expected ?? '', expected)
        if (got) assert.match(problem!.got ?? '', got)
        assert.match(problem!.remedy, remedy)
        assert.ok(error.message.includes(problem!.what) && error.message.includes(problem!.remedy))
        return true
      })
    })
  }

  test('imports in a circle that does no harm yet is used, with a warning that names the circle', async () => {
    write('mild-b.ts', "import { a } from './mild-a.ts'\nexport const b = () => a\n")
    const path = write(
      'mild-a.ts',
      `${IMPORT}import { b } from './mild-b.ts'\nexport const a = 1\nexport default ${GRAPH}\nvoid b\n`,
    )
    const { build, warnings } = await importTopology(path)
    const topology = build({})
    assert.equal(topology.name, 't')
    assert.equal(warnings.length, 1)
    assert.match(warnings[0]!.what, /circle: .*mild-a\.ts -> .*mild-b\.ts -> .*mild-a\.ts/)
  })

  test('is sound has no warnings, also one that imports files of its own', async () => {
    const path = write(
      'sound.ts',
      `${IMPORT}import { present } from './helper.ts'\nexport default ${GRAPH}\nvoid present\n`,
    )
    assert.deepEqual((await importTopology(path)).warnings, [])
  })
})
