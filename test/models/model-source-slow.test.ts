// Models over HTTP: servers that take their time, that are not there, and that nobody trusts.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { describe, test } from 'node:test'
import { setDefaultCACertificates } from 'node:tls'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { makeCertificate } from '../support/certificates.ts'
import { makeSource, startModelStore } from '../support/model-store.ts'
import { BYTES, SHA256, twoModelStores } from '../support/two-model-stores.ts'

const { store, serve, ok, refused } = await twoModelStores()

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

  test('for the whole is an outage, though some of it still comes', async () => {
    const clock = createManualClock()
    serve('/models/a.onnx', response => {
      response.writeHead(200, { 'content-length': BYTES.length })
      const more = () => {
        if (!response.destroyed) response.write('x', () => void clock.advance(5).then(more))
      }
      more()
    })
    await refused('MODEL_OUTAGE', /not fetched within 200 ms/, {}, { timeoutMs: 200, clock })
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
