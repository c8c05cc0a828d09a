import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytes, flag, from, integer, text, topology, withParameters } from 'kafka-run-inference'
import { describeParameters } from '../src/parameters.ts'
import { loadTopology } from '../src/topology-module.ts'

const parameters = {
  in: text('topic to read'),
  width: integer('numbers in a row'),
  rate: integer('a rate', 10, 0),
  quiet: flag('say nothing', false),
}
let seen: unknown
const module = withParameters(parameters, values => {
  seen = values
  return topology('t', [from(values.in, bytes()).to('out', bytes())])
})

describe('parameters', () => {
  it('are read by their kinds, and fall back', () => {
    module.build({ in: 'a', width: '64', quiet: 'true' })
    assert.deepEqual(seen, { in: 'a', width: 64, rate: 10, quiet: true })
    module.build({ in: 'a', width: '1', rate: '0' })
    assert.deepEqual(seen, { in: 'a', width: 1, rate: 0, quiet: false })
  })

  it('that are missing, unknown or malformed are told all at once', () => {
    assert.throws(
      () => module.build({ width: '6.5', colour: 'red', quiet: 'yes' }),
      (error: Error) => {
        assert.match(error.message, /^\[SETTINGS_INVALID\]/)
        assert.match(
          error.message,
          /--param colour: this topology has no such parameter\. Known: in, width, rate, quiet/,
        )
        assert.match(
          error.message,
          /--param in: it is missing, expected text, got nothing\. Give it: --param in=… \(topic to read\)/,
        )
        assert.match(error.message, /--param width: .*expected a whole number from 1, got "6.5"/)
        assert.match(error.message, /--param quiet: .*expected true or false, got "yes"/)
        return true
      },
    )
  })

  it('that are wrong come with a list of all that there are', () => {
    assert.throws(
      () => module.build({ in: 'a', width: '1', colour: 'red' }),
      (error: Error) => {
        const list = error.message.split('The topology takes:\n')[1]!.split('\n')
        assert.deepEqual(list, [
          '  in     topic to read (text, required)',
          '  width  numbers in a row (a whole number from 1, required)',
          '  rate   a rate (a whole number from 0, default 10)',
          '  quiet  say nothing (true or false, default false)',
        ])
        return true
      },
    )
  })

  it('a name alone is true for a flag, and too little for others', () => {
    module.build({ in: 'a', width: '1', quiet: true })
    assert.partialDeepStrictEqual(seen, { quiet: true })
    assert.throws(
      () => module.build({ in: true, width: '1' }),
      /--param in: it needs a value, expected text, got its name alone\. Give it: --param in=…/,
    )
  })

  it('are described with type, default, help and the value that they have, without passwords', () => {
    const url = text('where', 'http://me:swordfish@host/a')
    assert.deepEqual(describeParameters({ ...parameters, url }, { in: 'a', width: 'x', quiet: true }), [
      { name: 'in', type: 'text', default: null, help: 'topic to read', value: 'a' },
      { name: 'width', type: 'a whole number from 1', default: null, help: 'numbers in a row', value: null },
      { name: 'rate', type: 'a whole number from 0', default: 10, help: 'a rate', value: 10 },
      { name: 'quiet', type: 'true or false', default: false, help: 'say nothing', value: true },
      { name: 'url', type: 'text', default: 'http://***@host/a', help: 'where', value: 'http://***@host/a' },
    ])
  })

  for (const [name, value] of [
    ['width', ''],
    ['width', ' '],
    ['width', '0'],
    ['width', '-1'],
    ['width', '9007199254740993'],
    ['width', 'many'],
    ['rate', '-1'],
    ['in', ''],
    ['quiet', ''],
    ['quiet', 'toString'],
    ['quiet', '__proto__'],
  ] as const) {
    it(`refuse ${name}=${JSON.stringify(value)}`, () => {
      const given = { in: 'a', width: '1', [name]: value }
      assert.throws(() => module.build(given), new RegExp(`--param ${name}: the value cannot be used, expected`))
    })
  }

  it('names that objects have by nature are unknown, not given', () => {
    assert.throws(
      () => module.build({ in: 'a', width: '1', constructor: 'x' }),
      /--param constructor: this topology has no such/,
    )
    const odd = withParameters({ toString: text('a name that every object has', 'in') }, values =>
      topology('t', [from(String(values.toString), bytes()).to('out', bytes())]),
    )
    assert.equal(odd.build({}).sources[0]!.topic, 'in')
  })
})

describe('a topology module', () => {
  it('is loaded with its parameters', async () => {
    const graph = await loadTopology('topologies/raw-tensors.ts', { model: 'm.onnx', width: '4' })
    assert.equal(graph.sources[0]!.topic, 'raw.in')
    assert.equal((await loadTopology('topologies/digits.ts')).name, 'digits')
  })

  it('that cannot be used says why', async () => {
    await assert.rejects(
      loadTopology('topologies/none.ts'),
      /TOPOLOGY_INVALID.*topologies\/none.ts: there is no such file/,
    )
    await assert.rejects(
      loadTopology('src/records.ts'),
      /TOPOLOGY_INVALID.*there is no default export, expected a topology .* got none/,
    )
    await assert.rejects(
      loadTopology('topologies/digits.ts', { a: '1' }),
      /SETTINGS_INVALID.*takes no parameters, got --param a/,
    )
    await assert.rejects(
      loadTopology('topologies/raw-tensors.ts', {}),
      /SETTINGS_INVALID.*--param model: it is missing/s,
    )
    await assert.rejects(
      loadTopology('topologies/raw-tensors.ts', { model: 'm', width: '4', in: 'x', out: 'x' }),
      /TOPOLOGY_INVALID.*the topic is read, and is an output/s,
    )
  })
})
