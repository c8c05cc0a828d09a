// Addresses of models with a user, a password or a signature: whatever shows them shows none of these.
import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { describe, it, mock } from 'node:test'
import fc from 'fast-check'
import { say, sayJson } from '../../src/cli/models-text.ts'
import { shownModelId, withoutCredentials } from '../../src/credentials.ts'
import { unusableModel } from '../../src/models/fetch-problems.ts'
import { createLogger } from '../../src/ops/logger.ts'
import { modelNameOf, modelText } from '../../src/refresh/publish-plan.ts'

const SECRET = 'swordfish'
const ID = `https://anna:${SECRET}@h:8443/a/m.onnx?X-Amz-Signature=${SECRET}&v=1#access_token=${SECRET}`
const SHOWN = 'https://***@h:8443/a/m.onnx?X-Amz-Signature=***&v=***#***'

describe('an address of a model', () => {
  it('is shown without user, password, values of its query, and fragment; what is no address stays', () => {
    const shown = [
      [ID, SHOWN],
      [`s3://${SECRET}@bucket/m@v2.onnx`, 's3://***@bucket/m@v2.onnx'],
      [`HTTPS://h/m?${SECRET}`, 'HTTPS://h/m?***'],
      [`https://h/m?a=${SECRET} ${SECRET}"${SECRET}`, 'https://h/m?a=***'],
      [`https://a ${SECRET}@h/m`, 'https://***@h/m'],
      ['https://h/m?', 'https://h/m?'],
      ['s3://bucket/models/a@v2.onnx', 's3://bucket/models/a@v2.onnx'],
      ['models/what?.onnx', 'models/what?.onnx'],
      ['', ''],
    ] as const
    for (const [id, expected] of shown) assert.equal(shownModelId(id), expected)
  })

  it('is shown so inside a sentence too, which goes on as it was', () => {
    assert.equal(
      withoutCredentials(`cannot load "${ID}" (${ID}), or '${ID}': no`),
      `cannot load "${SHOWN}" (${SHOWN}), or '${SHOWN}': no`,
    )
    for (const text of ['is it https://h/a, or b?', 'what? no // at all', 'a//b c@d', 'see http://y/b@c.'])
      assert.equal(withoutCredentials(text), text)
  })

  it('never shows the value of a parameter, whatever stands around it', () => {
    const word = fc.stringMatching(/^[a-z0-9.%_~+/=-]{0,12}$/)
    const text = fc.tuple(fc.string(), word, word, word, fc.constantFrom('', '&b=2', '#c', '"', ' .', ').', "'"))
    fc.assert(
      fc.property(text, ([before, path, name, value, after]) => {
        const shown = withoutCredentials(`${before} https://h/${path}?${name}=${value}QQ${SECRET}${after}`)
        assert.ok(!shown.includes(SECRET), shown)
      }),
    )
  })

  it('is taken apart in time that grows with the text, whatever is in it', () => {
    const texts = ['a://', '//', '://?', 'https://h/?a=', "https://h?'", '&', '@'].map(part => part.repeat(200_000))
    const startedAt = performance.now()
    for (const text of texts) {
      withoutCredentials(text)
      shownModelId(text)
      withoutCredentials(`//${text}`)
    }
    assert.ok(performance.now() - startedAt < 10_000)
  })
})

describe('no credential of a model’s address leaves the process', () => {
  it('by a line of the log: message, facts, facts in facts', () => {
    let written = ''
    const destination = new Writable({
      write(chunk, _encoding, done) {
        written += chunk
        done()
      },
    })
    const logger = createLogger('info', destination)
    logger.warn({ modelId: `${ID} ${SECRET}`, reason: `${ID} says no`, models: [{ uri: ID }], count: 3 }, `loads ${ID}`)
    logger.child({ worker: 1 }).error({ settings: { s3Endpoint: ID } }, 'x')
    assert.match(written, /"modelId":"https:\/\/\*\*\*@h:8443/)
    assert.match(written, /"count":3,"msg":"loads https:\/\/\*\*\*@h/)
    assert.match(written, /"worker":1/)
    assert.doesNotMatch(written, /swordfish|anna/)
  })

  it('by kri models, as text or as JSON', t => {
    const printed: string[] = []
    mock.method(console, 'log', (line: string) => printed.push(line))
    t.after(() => mock.restoreAll())
    const state = { stable: { modelId: ID, modelName: 'm' }, candidate: { model: { modelId: `${ID} ${SECRET}` } } }
    say(`s: ${modelText(state.stable as never)}, serves ${ID}: ${ID} says no`)
    sayJson({ slots: [{ slot: 's', state, history: [state], status: { modelId: ID, reason: `${ID}: gone` } }] })
    assert.equal((JSON.parse(printed[1]!) as { slots: [{ state: typeof state }] }).slots[0].state.stable.modelId, SHOWN)
    assert.doesNotMatch(printed.join('\n'), /swordfish|anna/)
  })

  it('by the name that metrics have of it, or by an error that tells of it', () => {
    assert.equal(modelNameOf(ID), 'm')
    assert.equal(modelNameOf(`https://h/m.onnx?sig=a/b.${SECRET}`), 'm')
    assert.equal(modelNameOf('models/what?.v2.onnx'), 'what?.v2')
    assert.doesNotMatch(unusableModel(ID, 'it is gone', 'Publish another').message, /swordfish|anna/)
  })
})
