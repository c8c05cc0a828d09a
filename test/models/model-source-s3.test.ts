// Models from a server of the S3 API that checks signatures as its own authors understand them.
import assert from 'node:assert/strict'
import dns from 'node:dns'
import { readFileSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import type { S3Access } from '../../src/models/remote-model.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { makeSource, startModelStore } from '../support/model-store.ts'
import { CREDENTIALS, startS3Server } from '../support/s3-server.ts'

const BYTES = readFileSync('models/digits-mlp-v1.onnx')
const server = await startS3Server()
after(() => server.stop())
const ROOT = 's3://models/digits'

function access(change: Partial<S3Access> = {}): { readonly access: { readonly s3: S3Access } } {
  // By another name it would take the host for a bucket.
  const endpoint = `http://localhost:${server.port}`
  return { access: { s3: { endpoint, region: 'us-east-1', addressing: 'path', credentials: CREDENTIALS, ...change } } }
}

describe('a model in an S3-compatible store', { skip: server.skip }, () => {
  for (const key of ['v1.onnx', 'a b/v1+2 (copy)!.onnx', 'é/100%25/v1$&=@~.onnx', "it's*.onnx"])
    test(`is fetched by its key ${key}`, async () => {
      await server.put('models', `digits/${key}`, BYTES)
      using source = makeSource([ROOT], access())
      const { path, sizeBytes } = await source.fetch({ modelId: `${ROOT}/${key}` })
      assert.deepEqual([readFileSync(path), sizeBytes], [BYTES, BYTES.length])
    })

  test('is fetched from a bucket before the host', async () => {
    await server.put('models', 'digits/v1.onnx', BYTES)
    // No resolver of this machine need know names beneath localhost.
    const { lookup } = dns
    const seen: string[] = []
    dns.lookup = ((host: string, options: object, done: (...args: unknown[]) => void) => {
      seen.push(host)
      lookup('127.0.0.1', options, done as never)
    }) as typeof dns.lookup
    try {
      using source = makeSource([ROOT], access({ endpoint: `http://localhost:${server.port}`, addressing: 'virtual' }))
      assert.equal((await source.fetch({ modelId: `${ROOT}/v1.onnx` })).sizeBytes, BYTES.length)
      assert.deepEqual(seen, ['models.localhost'])
    } finally {
      dns.lookup = lookup
    }
    using source = makeSource([ROOT], access({ endpoint: `http://127.0.0.1:${server.port}`, addressing: 'virtual' }))
    await assert.rejects(source.fetch({ modelId: `${ROOT}/v1.onnx` }), { message: /s3Addressing to path/ })
  })

  test('is asked for by its etag the second time', async () => {
    await server.put('models', 'digits/v1.onnx', BYTES)
    using source = makeSource([ROOT], access())
    const [first, second] = [
      await source.fetch({ modelId: `${ROOT}/v1.onnx` }),
      await source.fetch({ modelId: `${ROOT}/v1.onnx` }),
    ]
    assert.equal(first.path, second.path)
  })

  test('that is missing, or in no bucket, is final', async () => {
    using source = makeSource([ROOT, 's3://nowhere'], access())
    await assert.rejects(source.fetch({ modelId: `${ROOT}/none.onnx` }), {
      message: /MODEL_UNUSABLE.*answers 404, NoSuchKey\. Put the model there/,
    })
    await assert.rejects(source.fetch({ modelId: 's3://nowhere/a' }), { message: /MODEL_UNUSABLE.*NoSuchBucket/ })
    await assert.rejects(source.fetch({ modelId: 's3://models/other/a' }), { message: /beneath modelRoots/ })
  })

  test('with a wrong secret or key is refused, and neither is told', async () => {
    await server.put('models', 'digits/v1.onnx', BYTES)
    for (const credentials of [
      { ...CREDENTIALS, secretAccessKey: 'swordfish' },
      { ...CREDENTIALS, accessKeyId: 'swordfish' },
    ]) {
      using source = makeSource([ROOT], access({ credentials }))
      const error: Error = await source.fetch({ modelId: `${ROOT}/v1.onnx` }).then(
        () => assert.fail('it was taken'),
        (thrown: Error) => thrown,
      )
      assert.match(
        error.message,
        /MODEL_UNUSABLE.*answers 403, \w+\. Check s3AccessKeyId, s3SecretAccessKey and s3Region/,
      )
      assert.doesNotMatch(error.message, /swordfish|kri\/secret/)
    }
  })

  test('with a clock that is a day off is told so', async () => {
    await server.put('models', 'digits/v1.onnx', BYTES)
    const clock = { ...systemClock, wallTime: () => Date.now() - 86_400_000 }
    using source = makeSource([ROOT], { ...access(), clock })
    await assert.rejects(source.fetch({ modelId: `${ROOT}/v1.onnx` }), { message: /MODEL_UNUSABLE.*(clock|403)/ })
  })
})

describe('a store that answers for itself', () => {
  test('is not followed to another region, and gets no signature where there is no key', async () => {
    const store = await startModelStore()
    try {
      store.routes.set('/models/digits/v1.onnx', (_, response) => {
        const headers = { location: `${store.origin}/other`, 'x-amz-bucket-region': 'eu-central-1' }
        response.writeHead(301, headers).end('<Error><Code>PermanentRedirect</Code></Error>')
      })
      const s3: S3Access = { endpoint: store.origin, region: 'us-east-1', addressing: 'path' }
      using source = makeSource([ROOT], { access: { s3, token: { origin: store.origin, value: 'swordfish' } } })
      await assert.rejects(source.fetch({ modelId: `${ROOT}/v1.onnx` }), {
        message: /MODEL_UNUSABLE.*301, PermanentRedirect, bucket region eu-central-1\. .*correct s3Region/,
      })
      assert.deepEqual(
        store.requests.map(({ url, headers }) => [url, headers.authorization]),
        [['/models/digits/v1.onnx', undefined]],
      )
      store.routes.set('/models/digits/v1.onnx', (_, response) =>
        response.writeHead(503).end('<Error><Code>SlowDown</Code></Error>'),
      )
      await assert.rejects(source.fetch({ modelId: `${ROOT}/v1.onnx` }), { message: /MODEL_OUTAGE.*503, SlowDown/ })
    } finally {
      await store.close()
    }
  })
})
