// Models over HTTP: servers that take their time, that are not there, and that nobody trusts.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { after, afterEach, before, describe, test } from 'node:test'
import { setDefaultCACertificates } from 'node:tls'
import { RunInferenceError } from '../../src/errors.ts'
import type { WantedModel } from '../../src/models/model-source.ts'
import { makeCertificate } from '../support/certificates.ts'
import { type ModelStore, makeSource, startModelStore } from '../support/model-store.ts'

const BYTES = readFileSync('models/digits-mlp-v1.onnx')
const SHA256 = createHash('sha256').update(BYTES).digest('hex')

let store: ModelStore
let other: ModelStore
before(async () => {
  store = await startModelStore()
  other = await startModelStore()
})
after(() => Promise.all([store.close(), other.close()]))
afterEach(() => {
  for (const { routes, requests } of [store, other]) {
    routes.clear()
    requests.length = 0
  }
})

const serve = (path: string, answer: (response: ServerResponse) => void) =>
  store.routes.set(path, (_, response) => answer(response))
const ok = (path: string) => serve(path, response => response.end(BYTES))

async function refused(
  code: string,
  text: RegExp,
  model: Partial<WantedModel> = {},
  options: Parameters<typeof makeSource>[1] & { readonly signal?: AbortSignal } = {},
): Promise<string> {
  using source = makeSource([`${store.origin}/models/`], options)
  const wanted = { modelId: `${store.origin}/models/a.onnx`, ...model }
  const error = await source.fetch(wanted, options.signal).then(
    () => assert.fail('it was taken'),
    error => error,
  )
  assert.ok(error instanceof RunInferenceError && error.code === code, String(error))
  assert.match(error.message, text)
  assert.match(error.message, /a\.onnx|…/)
  const left = readdirSync(source.cacheFolder)
  assert.deepEqual(left, [], 'nothing of it stays in the cache')
  return error.message
}

describe('a server that takes its time', () => {
  test('to begin its answer is an outage', async () => {
    serve('/models/a.onnx', () => {})
    await refused('MODEL_OUTAGE', /connected, but no answer within 50 ms/, {}, { firstByteTimeoutMs: 50 })
  })

  test('to connect is an outage', async () => {
    // TLS that nobody answers.
    const { createServer } = await import('node:net')
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    await new Promise(resolve => silent.once('listening', resolve))
    const origin = `https://127.0.0.1:${(silent.address() as { port: number }).port}`
    using source = makeSource([origin], { connectTimeoutMs: 50 })
    await assert.rejects(source.fetch({ modelId: `${origin}/a` }), {
      message: /MODEL_OUTAGE.*no connection within 50 ms/,
    })
    silent.close()
  })

  test('for the whole is an outage', async () => {
    serve('/models/a.onnx', response => {
      response.writeHead(200, { 'content-length': BYTES.length })
      for (let i = 0; i < 100; i++) setTimeout(() => response.write('x'), i * 20).unref()
    })
    await refused('MODEL_OUTAGE', /not fetched within 200 ms/, {}, { timeoutMs: 200 })
  })

  test('is left when the signal says so, before and while it answers', async () => {
    serve('/models/a.onnx', response => void response.write(BYTES.subarray(0, 10)))
    const wanted = { modelId: `${store.origin}/models/a.onnx` }
    using source = makeSource([store.origin])
    const early = AbortSignal.abort(new Error('never mind'))
    await assert.rejects(source.fetch(wanted, early), /never mind/)
    assert.equal(store.requests.length, 0)
    const late = new AbortController()
    const fetching = [source.fetch(wanted, late.signal), source.fetch(wanted, late.signal)]
    while (store.requests.length === 0) await new Promise(setImmediate)
    late.abort(new Error('another revision'))
    for (const each of fetching) await assert.rejects(each, /another revision/)
    assert.deepEqual(readdirSync(source.cacheFolder), [])
  })

  test('that is not there is an outage, and so is a host that nobody knows', async () => {
    const gone = await startModelStore()
    await gone.close()
    using source = makeSource([gone.origin, 'http://nobody.invalid'])
    await assert.rejects(source.fetch({ modelId: `${gone.origin}/a` }), { message: /MODEL_OUTAGE.*ECONNREFUSED/ })
    await assert.rejects(source.fetch({ modelId: 'http://nobody.invalid/a' }), { message: /MODEL_OUTAGE/ })
  })
})

test('a certificate that is not trusted is final; with trust, a redirect from https to http is not followed', async () => {
  const certificate = makeCertificate({ commonName: 'store', hosts: ['127.0.0.1'] })
  const secure = await startModelStore(certificate)
  try {
    using source = makeSource([secure.origin, store.origin])
    const wanted = { modelId: `${secure.origin}/a.onnx` }
    await assert.rejects(source.fetch(wanted), { message: /MODEL_UNUSABLE.*no trust.*NODE_EXTRA_CA_CERTS/ })
    setDefaultCACertificates([certificate.cert])
    secure.routes.set('/a.onnx', (_, response) => response.end(BYTES))
    assert.equal((await source.fetch(wanted)).sha256, SHA256)
    ok('/models/a.onnx')
    const location = `${store.origin}/models/a.onnx`
    secure.routes.set('/b.onnx', (_, response) => response.writeHead(302, { location }).end())
    const downgraded = source.fetch({ modelId: `${secure.origin}/b.onnx` })
    await assert.rejects(downgraded, { message: /MODEL_UNUSABLE.*redirects from https to/ })
    assert.equal(store.requests.length, 0)
  } finally {
    await secure.close()
  }
})
