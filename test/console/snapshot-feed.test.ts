// Snapshots as server-sent events: made while somebody listens, once for all, and gone with the last of them.
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe, it } from 'node:test'
import type { ConsoleSnapshot } from '../../src/console/console-api.ts'
import type { SnapshotSource } from '../../src/console/console-source.ts'
import { createSnapshotFeed } from '../../src/console/snapshot-feed.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { testConsole } from '../support/console-http.ts'
import { eventually } from '../support/eventually.ts'
import { fixtureSnapshot } from './fixture-snapshots.ts'

/** A response as far as a feed uses it; `reads: false`: nothing that is written leaves it. */
function listener({ reads = true } = {}) {
  const events = new EventEmitter()
  let text = ''
  let waiting = 0
  const response = Object.assign(events, {
    writeHead: () => {},
    write(part: string) {
      text += part
      if (!reads) waiting += part.length
    },
    end: () => events.emit('close'),
    destroy: () => events.emit('close'),
  })
  Object.defineProperty(response, 'writableLength', { get: () => waiting })
  const leave = () => events.emit('close')
  return { response: response as unknown as ServerResponse, text: () => text, leave }
}

function counted(take: () => ConsoleSnapshot | Promise<ConsoleSnapshot> = () => fixtureSnapshot(1, [])) {
  const calls = { taken: 0, rests: 0 }
  const source: SnapshotSource = {
    everyMs: 1_000,
    async take() {
      calls.taken++
      return take()
    },
    rest: () => {
      calls.rests++
    },
  }
  return { source, calls }
}

/** A clock that says how many timers wait on it. */
function countingClock() {
  const clock = createManualClock()
  const waiting = new Set<object>()
  return {
    ...clock,
    now: () => clock.now(),
    get timers() {
      return waiting.size
    },
    after(delayMs: number, call: () => void) {
      const timer = {}
      waiting.add(timer)
      const cancel = clock.after(delayMs, () => {
        waiting.delete(timer)
        call()
      })
      return () => {
        waiting.delete(timer)
        cancel()
      }
    },
  }
}

const count = (text: string, event: string) => text.split(`event: ${event}\n`).length - 1

describe('a feed of snapshots', () => {
  it('makes nothing and has no timer while nobody listens (F1)', async () => {
    const clock = countingClock()
    const { source, calls } = counted()
    const feed = createSnapshotFeed({ snapshots: source, clock })
    await clock.advance(10_000)
    assert.deepEqual([calls.taken, clock.timers], [0, 0])
    const one = listener()
    assert.ok(feed.listen(one.response))
    await clock.advance(2_500)
    assert.equal(count(one.text(), 'snapshot'), 3)
    one.leave()
    await clock.settle()
    assert.deepEqual([feed.listeners, clock.timers, calls.rests], [0, 0, 1])
    await clock.advance(10_000)
    assert.equal(calls.taken, 3)
  })

  it('does not take for a listener who has hung up before (F1)', async () => {
    const clock = countingClock()
    const { source, calls } = counted()
    const feed = createSnapshotFeed({ snapshots: source, clock })
    const gone = listener()
    Object.assign(gone.response, { destroyed: true })
    assert.ok(feed.listen(gone.response))
    await clock.advance(5_000)
    assert.deepEqual([feed.listeners, clock.timers, calls.taken], [0, 0, 0])
  })

  it('makes none beside one that is still being made for who has left (F2)', async () => {
    const clock = countingClock()
    const held = Promise.withResolvers<ConsoleSnapshot>()
    const { source, calls } = counted(() => (calls.taken === 1 ? held.promise : fixtureSnapshot(1, [])))
    const feed = createSnapshotFeed({ snapshots: source, clock })
    const [first, second] = [listener(), listener()]
    feed.listen(first.response)
    await clock.settle()
    first.leave()
    feed.listen(second.response)
    await clock.advance(5_000)
    assert.deepEqual([calls.taken, count(second.text(), 'snapshot')], [1, 0])
    held.resolve(fixtureSnapshot(1, []))
    await clock.advance(1_500)
    assert.deepEqual([calls.taken, count(first.text(), 'snapshot'), count(second.text(), 'snapshot')], [3, 0, 2])
    feed.close()
  })

  it('makes one for all that listen, and shows who comes later the last one at once (F2)', async () => {
    const clock = countingClock()
    const { source, calls } = counted()
    const feed = createSnapshotFeed({ snapshots: source, clock })
    const some = Array.from({ length: 32 }, () => listener())
    for (const { response } of some) assert.ok(feed.listen(response))
    assert.equal(feed.listen(listener().response), false)
    await clock.advance(1_500)
    assert.equal(calls.taken, 2)
    for (const { text } of some) assert.equal(count(text(), 'snapshot'), 2)
    some[0]!.leave()
    const late = listener()
    assert.ok(feed.listen(late.response))
    assert.equal(count(late.text(), 'snapshot'), 1)
    feed.close()
  })

  it('begins the next one when the last one is done, and tells of one that fails (F2)', async () => {
    const clock = createManualClock()
    let fails = true
    const { source, calls } = counted(() => {
      if (fails) throw new Error('no broker answers')
      return fixtureSnapshot(1, [])
    })
    const feed = createSnapshotFeed({ snapshots: source, clock })
    const one = listener()
    feed.listen(one.response)
    await clock.advance(500)
    assert.match(one.text(), /event: problem\ndata: \{"code":"BUG","message":"[^"]*no broker answers"\}\n\n/)
    fails = false
    await clock.advance(1_000)
    assert.deepEqual([count(one.text(), 'snapshot'), calls.taken], [1, 2])
    feed.close()
  })

  it('asks a source that is slow, or fails, less often, however many listen (F5)', async () => {
    const clock = createManualClock()
    const takenAt: number[] = []
    let [tookMs, fails] = [4_000, false]
    const { source } = counted(async () => {
      takenAt.push(clock.now() / 1_000)
      await new Promise<void>(resolve => clock.after(tookMs, resolve))
      if (fails) throw new Error('no broker answers')
      return fixtureSnapshot(1, [])
    })
    const feed = createSnapshotFeed({ snapshots: source, clock })
    for (let i = 0; i < 5; i++) feed.listen(listener().response)
    await clock.advance(20_000)
    assert.deepEqual(takenAt.splice(0), [0, 8, 16])
    ;[tookMs, fails] = [0, true]
    await clock.advance(60_000)
    assert.deepEqual(takenAt.splice(0), [24, 25, 27, 31, 39, 54, 69])
    fails = false
    await clock.advance(7_500)
    assert.deepEqual(takenAt.splice(0), [84, 85, 86, 87])
    feed.close()
  })

  it('shows no credential of an address, whoever wrote it', async () => {
    const clock = createManualClock()
    const secret = 'https://u:swordfish@h/m.onnx?X-Amz-Signature=swordfish'
    const snapshot = fixtureSnapshot(1, [])
    const [slot] = snapshot.models
    const model = { modelId: `${secret} swordfish`, modelName: secret }
    const fleet = [
      { instance: 'i', state: 'failed' as const, revision: 1, modelId: secret, reason: `of ${secret}: no` },
    ]
    const models = [{ ...slot!, stable: model, previous: [model], fleet }]
    let fails = false
    const { source } = counted(() => {
      if (fails) throw new Error(`cannot load ${secret}`)
      return { ...snapshot, models, problems: { model: `${secret} is gone` } }
    })
    const feed = createSnapshotFeed({ snapshots: source, clock })
    const one = listener()
    feed.listen(one.response)
    await clock.advance(500)
    fails = true
    await clock.advance(1_000)
    assert.match(one.text(), /"modelId":"https:\/\/\*\*\*@h\/m\.onnx\?X-Amz-Signature=\*\*\*"/)
    assert.match(one.text(), /event: problem\n.*cannot load/)
    assert.doesNotMatch(one.text(), /swordfish/)
    feed.close()
  })

  it('drops who does not read, and nobody else (F3)', async () => {
    const clock = countingClock()
    const { source } = counted()
    const feed = createSnapshotFeed({ snapshots: source, clock, maxBufferedBytes: 10_000 })
    const [slow, good] = [listener({ reads: false }), listener()]
    feed.listen(slow.response)
    feed.listen(good.response)
    await clock.advance(20_000)
    assert.equal(feed.listeners, 1)
    assert.ok(count(good.text(), 'snapshot') > 15)
    assert.ok(slow.text().length < 20_000)
    feed.close()
  })

  it('says that it is there when there is nothing to say', async () => {
    const clock = countingClock()
    const { source } = counted(() => new Promise<ConsoleSnapshot>(() => {}))
    const feed = createSnapshotFeed({ snapshots: source, clock })
    const one = listener()
    feed.listen(one.response)
    await clock.advance(31_000)
    assert.equal(one.text().split('\n:\n').length - 1, 2)
    feed.close()
  })

  it('ends all when it is closed, and nothing runs any more (F4)', async () => {
    const clock = countingClock()
    const { source, calls } = counted()
    const feed = createSnapshotFeed({ snapshots: source, clock })
    feed.listen(listener().response)
    await clock.advance(500)
    feed.close()
    await clock.advance(5_000)
    assert.deepEqual([feed.listeners, clock.timers, calls.taken], [0, 0, 1])
    assert.equal(feed.listen(listener().response), false)
  })

  it('is one event a line of JSON, whatever is in it', async () => {
    const clock = createManualClock()
    const hostile = 'a\r\nevent: problem\ndata: {}\n\n\u2028\u2029'
    const { source } = counted(() => ({ ...fixtureSnapshot(1, []), problems: { [hostile]: hostile } }))
    const feed = createSnapshotFeed({ snapshots: source, clock })
    const one = listener()
    feed.listen(one.response)
    await clock.advance(100)
    assert.equal(count(one.text(), 'problem'), 0)
    const data = /^data: ([^\r\n]*)$/m.exec(one.text())![1]!
    assert.deepEqual((JSON.parse(data) as ConsoleSnapshot).problems, { [hostile]: hostile })
    feed.close()
  })
})

describe('the stream over HTTP', () => {
  const read = (response: IncomingMessage) => {
    let text = ''
    response.setEncoding('utf8').on('data', part => {
      text += part
    })
    const ended = new Promise<void>(resolve => response.on('close', resolve))
    return { text: () => text, ended }
  }

  it('brings snapshots, and ends when the console is closed', async t => {
    const { stream, server } = await testConsole(t)
    const response = await stream('/console/api/events')
    assert.equal(response.headers['content-type'], 'text/event-stream; charset=utf-8')
    assert.equal(response.headers['cache-control'], 'no-store')
    const { text, ended } = read(response)
    await eventually('a snapshot comes', () => count(text(), 'snapshot') > 0)
    await server.close()
    await ended
  })

  it('is refused beyond the limit with a problem, not with a broken stream', async t => {
    const { stream, ask } = await testConsole(t, { maxListeners: 1 })
    const first = read(await stream('/console/api/events'))
    await eventually('a snapshot comes', () => count(first.text(), 'snapshot') > 0)
    const { status, text } = await ask('/console/api/events')
    assert.deepEqual([status, (JSON.parse(text) as { code: string }).code], [503, 'CONSOLE_BUSY'])
  })

  it('has no place any more for who has hung up', async t => {
    const { stream, ask } = await testConsole(t, { maxListeners: 1 })
    const response = await stream('/console/api/events')
    response.destroy()
    await eventually('the place is free', async () => {
      const again = await stream('/console/api/events')
      again.destroy()
      return again.statusCode === 200
    })
    assert.equal((await ask('/console/api/about')).status, 200)
  })
})
