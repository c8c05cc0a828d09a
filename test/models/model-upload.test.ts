// Models that are put into a store, over HTTP and the API of S3: what is there afterwards, and what a store can do wrong.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { locateModel, type S3Location } from '../../src/models/model-location.ts'
import { putModel, type UploadOptions } from '../../src/models/model-upload.ts'
import type { RemoteAccess } from '../../src/models/remote-model.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { eventually } from '../support/eventually.ts'
import { makeSource } from '../support/model-store.ts'
import { CREDENTIALS, startS3Server } from '../support/s3-server.ts'
import { storedPlace } from '../support/stored-place.ts'
import { twoModelStores } from '../support/two-model-stores.ts'

const { store } = await twoModelStores()
const s3 = await startS3Server()
const folder = mkdtempSync(join(tmpdir(), 'kri-model-upload-'))
after(async () => {
  rmSync(folder, { recursive: true })
  await s3.stop()
})

function local(bytes: Buffer) {
  const path = join(folder, 'model.onnx')
  writeFileSync(path, bytes)
  return { path, sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}
const MODEL = local(readFileSync('models/digits-mlp-v1.onnx'))
const BYTES = readFileSync(MODEL.path)
const ID = `${store.origin}/models/a.onnx`
const TOKEN = 'swordfish'

const place = (bytes?: Buffer, onPut?: Parameters<typeof storedPlace>[3]) =>
  storedPlace(store, '/models/a.onnx', bytes, onPut)

const methods = () => store.requests.map(({ method }) => method)

async function put(id = ID, model = MODEL, change: Partial<UploadOptions> & { readonly access?: RemoteAccess } = {}) {
  const { access = {} } = change
  using source = makeSource([id.slice(0, id.lastIndexOf('/'))], { access, maxBytes: 1 << 26, maxCacheBytes: 1 << 27 })
  const given = { access, source, clock: systemClock, signal: new AbortController().signal, ...change }
  return await putModel(id, locateModel(id) as S3Location, model, given)
}

describe('a model that is put by HTTP', () => {
  test('is there, whole, and is not sent again', async () => {
    const there = place()
    const access = { token: { origin: store.origin, value: TOKEN } }
    const seen: number[] = []
    const onSent = (done: number, total: number) => void seen.push(done / total)
    assert.equal(await put(ID, MODEL, { access, onSent }), 'uploaded')
    assert.deepEqual(there.bytes, BYTES)
    assert.equal(seen.at(-1), 1)
    assert.deepEqual(methods(), ['HEAD', 'PUT', 'GET'])
    const [, { headers }] = store.requests as [IncomingMessage, IncomingMessage]
    assert.deepEqual([headers['if-none-match'], headers.authorization], ['*', `Bearer ${TOKEN}`])
    assert.equal(await put(ID, MODEL, { access }), 'there')
    assert.deepEqual(methods().slice(3), ['HEAD', 'GET'])
  })

  test('takes the place of nothing else: what is there is left alone, and so is what came meanwhile', async () => {
    const other = Buffer.from(BYTES.toReversed())
    const there = place(other)
    await assert.rejects(put(), /\[MODEL_UNUSABLE\] --upload: what is there now is not what was to be: .*sha256/)
    assert.deepEqual([there.bytes, methods()], [other, ['HEAD', 'GET']])
    const late = place(undefined, (_, response) => {
      late.bytes = other
      response.writeHead(412).end()
    })
    await assert.rejects(put(), /MODEL_UNUSABLE.*not what was to be/)
    const same = place(undefined, (_, response, body) => {
      same.bytes = body
      response.writeHead(412).end()
    })
    assert.equal(await put(), 'there')
  })

  test('is put without the condition where a store does not know it', async () => {
    const there = place(undefined, (request, response, body) => {
      if (request.headers['if-none-match'] !== undefined) return void response.writeHead(501).end()
      there.bytes = body
      response.writeHead(204).end()
    })
    assert.equal(await put(), 'uploaded')
  })

  test('is not there when the store has kept something else', async () => {
    const there = place(undefined, (_, response, body) => {
      there.bytes = body.subarray(0, 100)
      response.writeHead(200).end()
    })
    await assert.rejects(put(), /MODEL_UNUSABLE.*not what was to be: .*100/)
  })

  for (const [status, code, text] of [
    [401, 'MODEL_UNUSABLE', /answers 401 to PUT\. Check modelToken, and modelTokenOrigin, and that they may write/],
    [403, 'MODEL_UNUSABLE', /answers 403 to PUT/],
    [405, 'MODEL_UNUSABLE', /answers 405 to PUT\. Put it there with the tools of the store/],
    [307, 'MODEL_UNUSABLE', /answers 307 to PUT/],
    [500, 'MODEL_OUTAGE', /answers 500 to PUT\. Nothing was published: run the command again/],
    [507, 'MODEL_OUTAGE', /answers 507/],
  ] as const)
    test(`that a store answers with ${status} is ${code}`, async () => {
      place(undefined, (_, response) => void response.writeHead(status, { location: '/b' }).end())
      const access = { token: { origin: store.origin, value: TOKEN } }
      const error: Error = await put(ID, MODEL, { access }).then(
        () => assert.fail('it was taken'),
        (thrown: Error) => thrown,
      )
      assert.match(error.message, new RegExp(`\\[${code}\\]`))
      assert.match(error.message, text)
      assert.ok(!error.message.includes(TOKEN))
      assert.deepEqual(methods(), ['HEAD', 'PUT'])
    })

  test('is given up when it is cancelled, when the connection breaks, and when no answer comes', async () => {
    store.routes.set('/models/a.onnx', (request, response) => {
      // It takes nothing of the body.
      if (request.method === 'HEAD') response.writeHead(404).end()
    })
    const large = local(Buffer.alloc(16 << 20, 1))
    const isAsked = () => eventually('the request', () => methods().at(-1) === 'PUT')
    const cancelled = new AbortController()
    const first = assert.rejects(put(ID, large, { signal: cancelled.signal }), /told to stop/)
    await isAsked()
    cancelled.abort(new Error('told to stop'))
    await first
    store.requests.length = 0
    const clock = createManualClock()
    const second = assert.rejects(put(ID, large, { clock }), /MODEL_OUTAGE.*within 60000 ms.*run the command again/)
    await isAsked()
    // What the sockets take of it is taken.
    await eventually('it is given up', async () => {
      await clock.advance(60_000)
      return Promise.race([second.then(() => true), new Promise<boolean>(resolve => setImmediate(resolve, false))])
    })
    store.requests.length = 0
    store.routes.set('/models/a.onnx', (request, response) => {
      if (request.method === 'HEAD') response.writeHead(404).end()
      else request.destroy()
    })
    await assert.rejects(put(ID, large), /MODEL_OUTAGE.*run the command again/)
  })
})

describe('a model that is put into a store of S3', { skip: s3.skip }, () => {
  const access = (credentials = CREDENTIALS): RemoteAccess => {
    return { s3: { endpoint: `http://localhost:${s3.port}`, region: 'us-east-1', addressing: 'path', credentials } }
  }

  test('is there, whole, whatever its key and size, and is not sent again', async () => {
    await s3.put('models', 'digits/other.onnx', BYTES)
    const large = local(Buffer.alloc(12 << 20, 7))
    for (const key of ['v1.onnx', 'a b/é 100%25+2 (copy)!.onnx']) {
      const id = `s3://models/digits/${key}`
      let sent = 0
      const onSent = (done: number) => {
        sent = done
      }
      assert.equal(await put(id, large, { access: access(), onSent }), 'uploaded')
      assert.equal(sent, large.sizeBytes)
      assert.equal(await put(id, large, { access: access() }), 'there')
    }
  })

  test('takes the place of nothing else', async () => {
    await s3.put('models', 'digits/taken.onnx', Buffer.from('something else'))
    const small = local(BYTES)
    await assert.rejects(
      put('s3://models/digits/taken.onnx', small, { access: access() }),
      /MODEL_UNUSABLE.*not what was to be/,
    )
  })

  test('is refused with a wrong secret, which is not told', async () => {
    const small = local(BYTES)
    const wrong = access({ ...CREDENTIALS, secretAccessKey: TOKEN })
    const error: Error = await put('s3://models/digits/secret.onnx', small, { access: wrong }).then(
      () => assert.fail('it was taken'),
      (thrown: Error) => thrown,
    )
    assert.match(error.message, /MODEL_UNUSABLE.*answers 403, SignatureDoesNotMatch to PUT\. Check s3AccessKeyId/)
    assert.ok(!error.message.includes(TOKEN))
    await assert.rejects(
      put('s3://nowhere/a.onnx', small, { access: access() }),
      /MODEL_UNUSABLE.*answers 404, NoSuchBucket to PUT/,
    )
  })
})
