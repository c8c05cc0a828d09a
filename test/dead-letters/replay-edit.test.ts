// One dead letter that somebody edits: what stays, what is refused, and what is written.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { type LetterEdit, openLetterEdit } from '../../src/dead-letters/letter-edit.ts'
import { checkEdit, replayEdited } from '../../src/dead-letters/replay-edit.ts'
import { from, type SourceOptions, topology } from '../../src/index.ts'
import type { RecordBlock } from '../../src/kafka/record-block.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { classifier, strings } from '../support/digit-topology.ts'
import type { TestLetter } from '../support/letter-blocks.ts'
import { sealedBatch } from '../support/record-batches.ts'
import { LETTERS, REPLAY, replayWorld } from '../support/replay-world.ts'

const refused = (message: RegExp) => ({ code: 'REPLAY_REFUSED', message })

async function setUp(letter: TestLetter, options: SourceOptions = {}) {
  const world = await replayWorld([letter])
  const shop = topology('shop', [
    from('orders', strings, options).runInference('classify', classifier).to('out', strings),
  ])
  const { port, clock } = world
  const readers = { registry: undefined, readSchema: async () => '', logger: silentLogger, clock }
  const place = { topic: LETTERS, partition: 0, offset: 0 }
  const open = () => openLetterEdit({ port, topology: shop, readers, signal: new AbortController().signal }, place)
  const write = async (edit: LetterEdit, record: object) =>
    world.over(
      replayEdited(world.parts(), edit, await edit.apply(JSON.stringify(record)), { name: 'mend', reason: 'why not' }),
    )
  return { ...world, open, write }
}

async function blocksOf(scan: AsyncIterable<RecordBlock>): Promise<readonly RecordBlock[]> {
  const blocks: RecordBlock[] = []
  for await (const block of scan) blocks.push(block)
  return blocks
}

const letter: TestLetter = {
  key: 'a',
  value: 'short',
  carried: [
    ['trace', Buffer.from('t1')],
    ['raw', Buffer.from([255])],
    ['none', null],
  ],
  facts: { 'original-partition': '1', 'replay-count': '1' },
}

describe('a dead letter that is edited', () => {
  it('is shown as its source reads it; what is not text as bytes', async () => {
    const { record, undecoded } = await (await setUp(letter)).open()
    const headers = [
      ['trace', 't1'],
      ['raw', { base64: '/w==' }],
      ['none', null],
    ]
    assert.deepEqual([record, undecoded], [{ key: 'a', value: 'short', headers }, {}])
    const other = await (await setUp({ ...letter, key: Buffer.from([0xff]) })).open()
    assert.deepEqual(other.record.key, { base64: '/w==' })
    assert.match(other.undecoded.key ?? '', /UTF-8/)
  })

  it('goes to its replay topic with what was changed, the rest byte for byte, the letter stays, and the audit says who did it', async () => {
    const { open, write, instance, written, audit, port } = await setUp({ ...letter, key: Buffer.from([0xff]) })
    await instance()
    const edit = await open()
    const result = await write(edit, { ...edit.record, value: '5', headers: [['trace', 't2']] })
    assert.deepEqual([result.changed, result.target], [['value', 'headers'], { topic: REPLAY, partition: 1 }])
    const [found, ...more] = await written(REPLAY)
    assert.deepEqual(more, [])
    assert.equal(found!.value, '5')
    const [block] = await blocksOf(port.scan([{ topic: REPLAY, partition: 1, from: 0, to: 'end' }]))
    assert.deepEqual(block!.key(0), Buffer.from([0xff]))
    const headers = new Map(block!.headers(0).map(([name, value]) => [name, String(value)]))
    assert.equal(headers.get('kri-edited-from'), `${LETTERS}/0/0`)
    for (const [name, text] of [
      ['trace', 't2'],
      ['kri-step', 'classify'],
      ['kri-replay-count', '1'],
    ])
      assert.equal(headers.get(name!), text)
    for (const name of ['raw', 'none']) assert.equal(headers.has(name), false)
    const [record] = await audit()
    assert.ok(record?.kind === 'edited' && record.reason === 'why not' && record.by === 'anna@shop')
    assert.deepEqual(record.letter, { topic: LETTERS, partition: 0, offset: 0 })
    assert.equal((await open()).record.value, 'short')
  })

  it('is written with its audit or not at all, whatever answers are lost', async () => {
    for (const point of ['transactionSend', 'endTransaction', 'fence'] as const) {
      const { open, write, instance, written, audit, broker } = await setUp(letter)
      await instance()
      const edit = await open()
      broker.loseResponse(2, point)
      await write(edit, { ...edit.record, value: '5' })
      assert.deepEqual([(await written(REPLAY)).length, (await audit()).length], [1, 1], point)
    }
  })

  it('is refused, and nothing written, with what cannot be read again, and says what is wrong', async () => {
    const { open, write, instance, written, audit } = await setUp(letter)
    await instance()
    const edit = await open()
    for (const [text, message] of [
      ['{', /is no JSON: .*position/],
      ['[]', /is no object/],
      ['{"keys": 1}', /has keys: expected key, value and headers alone/],
      ['{"value": 5}', /the value cannot be written: .*ENCODE_SCHEMA/],
      ['{"value": {"base64": "/w=="}}', /the value cannot be decoded as it is now: .*UTF-8/],
      ['{"headers": {"a": "b"}}', /expected a list of \[name, value\]/],
      ['{"headers": [["a", 5]]}', /header "a" is wrong/],
      ['{"headers": [["kri-step", "other"]]}', /nobody's to set/],
      ['{"headers": [["a\\nb", "c"]]}', /cannot be set/],
    ] as const)
      await assert.rejects(edit.apply(text), refused(message), text)
    await assert.rejects(write(edit, edit.record), refused(/is as it was/))
    assert.deepEqual([await written(REPLAY), await audit()], [[], []])
  })

  it('is refused while nobody reads the replay topic, and under the name of a run', async () => {
    const { open, write, instance, parts, over, run } = await setUp(letter)
    const edit = await open()
    await assert.rejects(over(checkEdit(parts(), edit, {})), refused(/no member of group shop reads/))
    await assert.rejects(write(edit, { ...edit.record, value: '5' }), refused(/no member of group shop reads/))
    await instance()
    await run({ name: 'mend' })
    await assert.rejects(write(edit, { ...edit.record, value: '5' }), refused(/mend is the name of a run/))
  })

  it('has the value that was left out, from where it was first read, if it is still that one', async () => {
    const facts = { ...letter.facts, 'value-bytes': '5', 'original-offset': '0' }
    const leftOut = (of: string) => {
      const sha256 = createHash('sha256').update(of).digest('hex')
      return { ...letter, value: null, facts: { ...facts, 'value-sha256': sha256 } }
    }
    const { open, write, port, instance, written } = await setUp(leftOut('short'))
    await assert.rejects(open(), refused(/cannot be edited: its value was left out/))
    const record = { timestamp: 1, key: null, value: Buffer.from('short'), headers: [] }
    await port.writer().send([sealedBatch([record], 'orders', 1)])
    await instance()
    const edit = await open()
    assert.equal(edit.record.value, 'short')
    await write(edit, { ...edit.record, key: 'b' })
    const [found] = await written(REPLAY)
    assert.deepEqual([found!.key, found!.value, found!.headers.includes('kri-value-bytes')], ['b', 'short', false])
  })
})
