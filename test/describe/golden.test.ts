// What `kri describe` says of every topology in topologies/, and of one with every kind of node. To write the files anew: KRI_WRITE_GOLDEN=1.
import assert from 'node:assert/strict'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, test } from 'node:test'
import { describeTopology } from '../../src/describe/description.ts'
import { describeAsMermaid } from '../../src/describe/mermaid.ts'
import { describeAsText } from '../../src/describe/text.ts'
import { describeParameters } from '../../src/parameters.ts'
import { importTopology } from '../../src/topology-module.ts'
import { root } from '../repo/source-files.ts'

const FOLDER = join(root, 'test/describe/golden')
/** For modules that need some. */
const PARAMETERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'raw-tensors': { model: 'models/digits-mlp-v1.onnx', width: '64' },
}

describe('describe', () => {
  for (const file of globSync(['topologies/*.ts', 'test/describe/every-node.ts'], { cwd: root })) {
    const name = basename(file, '.ts')
    test(`${name} is described as its golden files say`, async () => {
      const { parameters, build } = await importTopology(join(root, file))
      const given = PARAMETERS[name] ?? {}
      const description = describeTopology(build(given), describeParameters(parameters, given))
      const golden = {
        txt: describeAsText(description),
        mmd: describeAsMermaid(description),
        json: JSON.stringify(description, undefined, 2),
      }
      for (const [extension, text] of Object.entries(golden)) {
        const path = join(FOLDER, `${name}.${extension}`)
        if (process.env.KRI_WRITE_GOLDEN === '1') writeFileSync(path, `${text}\n`)
        const expected = readFileSync(path, 'utf8')
        // The formatter of the project has its own way to lay out JSON.
        if (extension === 'json') assert.deepEqual(JSON.parse(text), JSON.parse(expected), path)
        else assert.equal(`${text}\n`, expected, path)
      }
    })
  }
})
