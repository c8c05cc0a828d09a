import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, json, keyed, modelHandler, topology, utf8 } from 'kafka-run-inference'
import { whyIgnored } from '../../src/refresh/ignored-metadata.ts'
import { partOf } from '../../src/topology-parts.ts'

const echo = modelHandler<number, number, undefined>({
  name: 'echo',
  loadModel: () => undefined,
  runInference: batch => batch,
})
const mappings = [
  { keys: ['de', 'at'], handler: echo },
  { keys: ['fr'], handler: echo },
]
const one = from('in', { key: utf8(), value: json<number>() })
  .runInference('one', keyed(echo), { modelMetadata: true })
  .through('between', { key: utf8(), value: json<number>() })
const both = one.runInference('each', keyed(mappings), { modelMetadata: true }).runInference('plain', keyed(echo))
const whole = topology('t', [both.to('out', { key: utf8(), value: json() })])

const cases: readonly (readonly [key: string, expected: RegExp | undefined])[] = [
  ['one', undefined],
  ['each/"de"', undefined],
  ['ones', /has no step "ones"; did you mean "one"\?/],
  ['plain', /step "plain" does not follow what is published: give it modelMetadata: true/],
  ['one/"de"', /one model for all keys: publish it for "one" alone/],
  ['each', /a model for each key: publish for one of its keys/],
  ['each/"at"', /key "at" shares its model with "de": publish for each\/"de"/],
  ['each/"it"', /no model for key "it", so each\/"it" is nothing here/],
  ['each/1', /no model for key 1/],
]

describe('what is published for nobody', () => {
  for (const [key, expected] of cases) {
    it(`${key}: ${expected?.source ?? 'is somebody’s'}`, () => {
      const reason = whyIgnored(whole, key)
      if (expected) assert.match(reason!, expected)
      else assert.equal(reason, undefined)
    })
  }

  it('what is about another part is that part’s', () => {
    const part = partOf(whole, 'in')
    assert.equal(whyIgnored(part, 'each/"fr"'), undefined)
  })
})
