import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, topology, utf8 } from 'kafka-run-inference'
import { consumerGroups, sourcesByDistance } from '../src/consumer-groups.ts'
import { partOf, topologyParts } from '../src/topology-parts.ts'

const text = utf8()
const a = from('a', text)
const b = from('b', text)
const groupsOf = (whole: ReturnType<typeof topology>) =>
  Object.fromEntries(consumerGroups(whole).map(({ id, sources }) => [id, sources.map(({ topic }) => topic)]))

describe('the consumer groups of a topology', () => {
  it('what is read from outside has the group of the application, in however many parts', () => {
    const whole = topology('t', [a.to('a1', text), b.to('b1', text)], { applicationId: 'app' })
    assert.deepEqual(groupsOf(whole), { app: ['a', 'b'] })
  })

  it('what reads only topics of the topology has a group of its own; a part alone has the group that it has in the whole', () => {
    const one = a.through('one', text)
    const whole = topology('t', [one.through('two', text).to('out', text), one.to('copy', text), b.to('b1', text)])
    assert.deepEqual(groupsOf(whole), { t: ['a', 'b'], 't.one': ['one'], 't.two': ['two'] })
    for (const { name, topology: part } of topologyParts(whole)) {
      const [[id, topics], ...others] = Object.entries(groupsOf(part)) as [[string, string[]]]
      assert.equal(others.length, 0)
      assert.deepEqual(topics, [name])
      assert.equal(id, name === 'a' || name === 'b' ? 't' : `t.${name}`)
    }
    assert.deepEqual(
      partOf(whole, 'one').sinks.map(({ topic }) => topic),
      ['two', 'copy'],
    )
  })

  it('adding a through moves no committed offset: a part that reads from outside, too, keeps its group', () => {
    const mixed = a.through('between', text).merge(b)
    assert.deepEqual(groupsOf(topology('t', [mixed.to('out', text)])), { t: ['a', 'between', 'b'] })
  })

  it('two streams that meet again below their topics are one group, named after the first', () => {
    const { x, y } = a.branch({ x: value => value > 'm', y: () => true })
    const met = x.through('x', text).merge(y.through('y', text))
    assert.deepEqual(groupsOf(topology('t', [met.to('out', text)])), { t: ['a'], 't.x': ['x', 'y'] })
  })

  it('sources are in steps: each is written only by what reads those before it', () => {
    const one = a.through('one', text)
    const whole = topology('t', [one.merge(b.through('other', text)).through('two', text).to('out', text)])
    assert.deepEqual(
      sourcesByDistance(whole).map(step => step.map(({ topic }) => topic)),
      [['a', 'b'], ['one', 'other'], ['two']],
    )
  })
})
