import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { from, topology, utf8 } from '../src/index.ts'
import { FailurePoints } from '../src/pipeline/failure-points.ts'
import { partOf, topologyParts } from '../src/topology-parts.ts'

const text = utf8()
const a = from('a', text)
const b = from('b', text)

suite('the parts of a topology', () => {
  test('what shares a source is one part, named after it; what shares nothing is another', () => {
    const whole = topology('t', [a.map(x => x).to('a1', text), b.to('b1', text), a.filter(() => true).to('a2', text)])
    const parts = topologyParts(whole).map(({ name, topology: { sources, sinks, applicationId } }) => ({
      name,
      applicationId,
      sources: sources.map(({ topic }) => topic),
      sinks: sinks.map(({ topic }) => topic),
    }))
    assert.deepEqual(parts, [
      { name: 'a', applicationId: 't', sources: ['a'], sinks: ['a1', 'a2'] },
      { name: 'b', applicationId: 't', sources: ['b'], sinks: ['b1'] },
    ])
  })

  test('a part names its nodes and dead letters as the whole does', () => {
    const whole = topology('t', [a.map(x => x).to('a1', text), b.map(x => x).to('b1', text)])
    const part = partOf(whole, 'b')
    const map = part.sinks[0]!.input
    assert.equal(map.kind, 'map')
    assert.deepEqual(new FailurePoints(part).ofNode(map), new FailurePoints(whole).ofNode(map))
    assert.equal(new FailurePoints(part).nameOf(map), 'map#2')
  })

  test('a part that does not exist is an error that names those that do', () => {
    const whole = topology('t', [a.to('a1', text), b.to('b1', text)])
    assert.equal(partOf(whole, 'b').sinks.length, 1)
    assert.throws(() => partOf(whole, 'c'), /\[SETTINGS_INVALID\] --part: expected one of .*\(a, b\), got "c"/)
  })
})
