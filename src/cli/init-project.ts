/** What stands around the topology that `kri init` writes. */
import type { InitCodec } from './init-topology.ts'

export const tsconfigFile = `{
  "compilerOptions": {
    "target": "es2024",
    "lib": ["es2024", "esnext.disposable"],
    "module": "nodenext",
    "types": ["node"],
    "strict": true,
    "noUncheckedIndexedAccess": true,
    "erasableSyntaxOnly": true,
    "verbatimModuleSyntax": true,
    "allowImportingTsExtensions": true,
    "skipLibCheck": true,
    "noEmit": true
  },
  "include": ["topologies", "test"]
}
`

export const projectFiles: readonly (readonly [file: string, content: string])[] = [['.gitignore', 'node_modules/\n']]

/** onnxruntime-node would fetch CUDA libraries, which takes long and fails without a network. */
export const installCommand = 'ONNXRUNTIME_NODE_INSTALL=skip npm install'

export function packageFile(name: string, dependency: string): string {
  const content = {
    name,
    version: '0.1.0',
    private: true,
    type: 'module',
    engines: { node: '>=24' },
    // npm looks at `engines` of what is installed, and at this before scripts too.
    devEngines: { runtime: { name: 'node', version: '>=24', onFail: 'error' } },
    scripts: {
      kri: 'kri',
      check: `kri check topologies/${name}.ts`,
      start: `kri run topologies/${name}.ts`,
      // An older Node would find no test in TypeScript by itself, and be content.
      test: 'node --test "test/**/*.test.ts"',
      typecheck: 'tsc',
    },
    dependencies: { 'kafka-run-inference': dependency },
    devDependencies: { '@types/node': '^24.0.0', typescript: '^7.0.0' },
  }
  return `${JSON.stringify(content, undefined, 2)}\n`
}

export function testFile(name: string, codec: InitCodec): string {
  const raw = codec === 'raw'
  const input = raw ? '{ value: Float32Array.from(line) }' : '{ key: line.id, value: line }'
  const check = raw
    ? `for (const { bytes } of predictions) assert.equal(bytes?.length, 10 * Float32Array.BYTES_PER_ELEMENT)`
    : `const labels = new Map(lines.map(({ id, label }) => [id, label]))
  const right = predictions.filter(({ key, value }) => (value as { label: number }).label === labels.get(key))
  assert.ok(right.length >= 0.9 * lines.length, \`\${right.length} of \${lines.length}\`)`
  return `\
// The whole topology, on a broker in memory: no Kafka, no network, the real model.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { createTopologyDriver } from 'kafka-run-inference/testing'
import topology from '../topologies/${name}.ts'

test('every digit gets a prediction${raw ? '' : ', and nine of ten are right'}', async () => {
  const lines = readFileSync('data/digits.ndjson', 'utf8').trim().split('\\n').map(line => JSON.parse(line))
  const driver = await createTopologyDriver(topology)
  await driver.pipe('${name}.images', lines.map(line => (${input})))
  await driver.advance(1_000)
  const predictions = await driver.read('${name}.predictions')
  assert.equal(predictions.length, lines.length)
  ${check}
  await driver.stop()
})
`
}

export function readme(name: string, codec: InitCodec, buildSteps: readonly string[]): string {
  const file = `topologies/${name}.ts`
  const key = codec === 'raw' ? '' : ' --key-field id'
  const schemas = codec === 'avro' ? ' --schemas' : ''
  return `\
# ${name}

Reads \`${name}.images\`, runs \`models/digits.onnx\` on it, writes \`${name}.predictions\`; what fails goes to
\`${name}.classify.failed-preprocess\`, \`.failed-inference\` and \`.failed-postprocess\`.

With Node 24 or newer:

\`\`\`sh
${[...buildSteps, installCommand].join('\n')}
npm test            # the topology on a broker in memory
npm run typecheck
npm run kri -- check ${file} --offline --example data/digits.ndjson${key}
\`\`\`

\`ONNXRUNTIME_NODE_INSTALL=skip\` leaves out CUDA libraries, which would be fetched on Linux.${
    buildSteps.length === 0
      ? ''
      : `
kafka-run-inference is used from a clone, as it was built last.`
  }

On a Kafka:

\`\`\`sh
npm run kri -- cluster up      # one on this machine, with a schema registry; then export what it prints
npm run kri -- topics apply ${file}${schemas}
npm run check
npm run kri -- produce ${file} --file data/digits.ndjson${key}
npm run kri -- run ${file} --until-end
npm run kri -- consume ${file}   # predictions, and dead letters with the reason
\`\`\`

To make it yours: put your model into \`models/\`, say in \`${file}\` what its rows look like, and run \`npm run check\`
until it has nothing to say.

The data are from the Optical Recognition of Handwritten Digits set of the UCI repository (CC BY 4.0), by way of
scikit-learn (BSD-3-Clause); the model was trained on another part of it (Apache-2.0, from kafka-run-inference).
`
}
