// Models over HTTP from a loopback server: what is taken, and everything that a server can do wrong.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { makeSource } from '../support/model-store.ts'
import { BYTES, SHA256, twoModelStores } from '../support/two-model-stores.ts'
import { writeExternalModel } from '../support/written-models.ts'

const { store, other, serve, ok, refused } = await twoModelStores()

describe('a model over HTTP', () => {
  test('is fetched once, checked, and found again without asking, also by another process', async () => {
    ok('/models/a.onnx')
    using source = makeSource([`${store.origin}/models`])
    const model = { modelId: `${store.origin}/models/a.onnx`, sha256: SHA256.toUpperCase(), sizeBytes: BYTES.length }
    const [first, again] = await Promise.all([source.fetch(model), source.fetch(model)])
    assert.deepEqual(readFileSync(first.path), BYTES)
    assert.deepEqual([first.sha256, first.sizeBytes, again.path], [SHA256, BYTES.length, first.path])
    assert.match(first.path, new RegExp(`${SHA256}\\.onnx$`))
    await makeSource([store.origin], { cacheFolder: source.cacheFolder }).fetch(model)
    assert.equal(store.requests.length, 1)
    assert.equal(store.requests[0]!.headers['accept-encoding'], 'identity')
  })

  test('whose copy in the cache has changed is fetched again', async () => {
    ok('/models/a.onnx')
    using source = makeSource([store.origin])
    const model = { modelId: `${store.origin}/models/a.onnx`, sha256: SHA256 }
    const { path } = await source.fetch(model)
    writeFileSync(path, 'something else')
    assert.deepEqual(readFileSync((await source.fetch(model)).path), BYTES)
    assert.equal(store.requests.length, 2)
  })

  test('without a published checksum is asked for by its etag, and taken anew when that changes', async () => {
    let [bytes, etag]: [Buffer, string] = [BYTES, '"one"']
    store.routes.set('/models/a.onnx', (request, response) => {
      if (request.headers['if-none-match'] === etag) response.writeHead(304).end()
      else response.writeHead(200, { etag }).end(bytes)
    })
    using source = makeSource([store.origin])
    const model = { modelId: `${store.origin}/models/a.onnx` }
    const first = await source.fetch(model)
    const second = await source.fetch(model)
    assert.deepEqual([second.path, second.sha256], [first.path, SHA256])
    assert.equal(store.requests[1]!.headers['if-none-match'], '"one"')
    ;[bytes, etag] = [readFileSync('models/digits-mlp-v2.onnx'), '"two"']
    const third = await source.fetch(model)
    assert.notEqual(third.sha256, SHA256)
    assert.deepEqual(readFileSync(third.path), bytes)
    assert.equal(store.requests.length, 3)
  })

  for (const status of [301, 302, 303, 307, 308]) {
    test(`is found where a ${status} leads, beneath a root`, async () => {
      serve('/models/a.onnx', response => response.writeHead(status, { location: 'deep/b?sig=secret' }).end())
      ok('/models/deep/b')
      using source = makeSource([`${store.origin}/models`])
      assert.equal((await source.fetch({ modelId: `${store.origin}/models/a.onnx` })).sha256, SHA256)
    })
  }
})

describe('a server that redirects', () => {
  const to = (location: string) => serve('/models/a.onnx', response => response.writeHead(302, { location }).end())

  test('out of the roots is not followed: nobody there is asked', async () => {
    other.routes.set('/models/a.onnx', (_, response) => response.end(BYTES))
    to(`${other.origin}/models/a.onnx?sig=secret`)
    const message = await refused('MODEL_UNUSABLE', /redirects to .*not beneath modelRoots/)
    assert.ok(message.includes(other.origin) && !message.includes('secret'))
    assert.equal(other.requests.length, 0)
    to('/elsewhere/a.onnx')
    await refused('MODEL_UNUSABLE', /not beneath modelRoots/)
    to('/models/../elsewhere/a.onnx')
    await refused('MODEL_UNUSABLE', /not beneath modelRoots/)
  })

  test('to no usable address is refused', async () => {
    for (const location of [
      'ftp://127.0.0.1/x',
      'file:///etc/passwd',
      'http://',
      '/models/..%2fx',
      'http://u:p@127.0.0.1/',
    ]) {
      to(location)
      await refused('MODEL_UNUSABLE', /without a usable address/)
    }
    serve('/models/a.onnx', response => response.writeHead(302).end())
    await refused('MODEL_UNUSABLE', /without a usable address/)
  })

  test('in a circle is left after five', async () => {
    to('/models/a.onnx')
    await refused('MODEL_UNUSABLE', /more than 5 redirects/)
    assert.equal(store.requests.length, 6)
  })

  test('gets the token if it is its own origin, and no other does', async () => {
    const roots = [store.origin, other.origin]
    const access = { token: { origin: store.origin, value: 'swordfish' } }
    other.routes.set('/b', (_, response) => response.end(BYTES))
    to(`${other.origin}/b`)
    using source = makeSource(roots, { access })
    await source.fetch({ modelId: `${store.origin}/models/a.onnx` })
    assert.equal(store.requests[0]!.headers.authorization, 'Bearer swordfish')
    assert.equal(other.requests[0]!.headers.authorization, undefined)
  })
})

describe('a server with the wrong answer', () => {
  for (const [status, text] of [
    [400, /answers 400/],
    [401, /answers 401\. Set modelToken/],
    [403, /answers 403\. Set modelToken/],
    [404, /answers 404\. Put the model there/],
    [410, /answers 410/],
    [206, /answers 206/],
    [304, /answers 304/],
  ] as const)
    test(`${status} is final`, async () => {
      serve('/models/a.onnx', response => response.writeHead(status).end())
      await refused('MODEL_UNUSABLE', text)
    })

  for (const status of [408, 429, 500, 502, 503, 504])
    test(`${status} is an outage`, async () => {
      serve('/models/a.onnx', response => response.writeHead(status).end('busy'))
      await refused('MODEL_OUTAGE', new RegExp(`answers ${status}.*tried again`))
    })

  test('a refused token is named, and not shown', async () => {
    serve('/models/a.onnx', response => response.writeHead(401).end('swordfish?'))
    const access = { token: { origin: store.origin, value: 'swordfish' } }
    const message = await refused('MODEL_UNUSABLE', /Check modelToken/, {}, { access })
    assert.doesNotMatch(message, /swordfish/)
  })

  test('an encoded body is refused', async () => {
    serve('/models/a.onnx', response => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(BYTES)))
    await refused('MODEL_UNUSABLE', /encoded \(gzip\)/)
  })

  test('other bytes, or another number of bytes, are refused', async () => {
    ok('/models/a.onnx')
    await refused('MODEL_UNUSABLE', /expected sha256 0{64}, got 118f4339/, { sha256: '0'.repeat(64) })
    await refused('MODEL_UNUSABLE', /expected 2867 bytes, got 2866\./, { sizeBytes: 2867 })
    await refused('MODEL_UNUSABLE', /expected 2865 bytes, got 2866\./, { sizeBytes: 2865 })
    serve('/models/a.onnx', response => {
      response.write(BYTES)
      response.end(BYTES)
    })
    await refused('MODEL_UNUSABLE', /expected 2866 bytes, got \d+ or more/, { sizeBytes: 2866 })
    serve('/models/a.onnx', response => response.end())
    await refused('MODEL_UNUSABLE', /empty \(0 bytes\)/)
  })

  test('a model with weights in other files must be one file', async () => {
    using source = makeSource([])
    const bytes = readFileSync(writeExternalModel(source.cacheFolder, 'all.bin'))
    serve('/models/a.onnx', response => response.end(bytes))
    await refused('MODEL_UNUSABLE', /'all\.bin'.*one file/)
  })
})

describe('a server that lies or breaks off', () => {
  test('about a length that is too large is not read', async () => {
    serve('/models/a.onnx', response => response.writeHead(200, { 'content-length': 1 << 21 }).write('x'))
    await refused('MODEL_UNUSABLE', /expected at most 1048576 bytes \(maxModelBytes\), got 2097152/)
  })

  test('without a length is read to the limit, and no further', async () => {
    let sent = 0
    serve('/models/a.onnx', response => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536))) sent += 65_536
        response.once('drain', more)
      }
      more()
    })
    await refused('MODEL_UNUSABLE', /expected at most 1048576 bytes/)
    assert.ok(sent < 1 << 25, `${sent} bytes were sent`)
  })

  test('in the middle is an outage', async () => {
    serve('/models/a.onnx', response => {
      response.writeHead(200, { 'content-length': BYTES.length })
      response.write(BYTES.subarray(0, 1000), () => response.destroy())
    })
    await refused('MODEL_OUTAGE', /broke off after \d+ bytes/)
    serve('/models/a.onnx', response => response.write(BYTES.subarray(0, 1000), () => response.destroy()))
    await refused('MODEL_OUTAGE', /broke off after \d+ bytes/)
  })

  test('before its answer, or with none of HTTP, is an outage', async () => {
    serve('/models/a.onnx', response => response.socket!.destroy())
    await refused('MODEL_OUTAGE', /cannot be read/)
    serve('/models/a.onnx', response => response.socket!.end('220 who are you?\r\n'))
    await refused('MODEL_OUTAGE', /cannot be read/)
  })

  test('with endless headers is an outage', async () => {
    serve('/models/a.onnx', response => response.writeHead(200, { x: 'y'.repeat(100_000) }).end(BYTES))
    await refused('MODEL_OUTAGE', /HPE_HEADER_OVERFLOW/)
  })
})
