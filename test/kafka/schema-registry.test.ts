import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, suite, test } from 'node:test'
import { inspect } from 'node:util'
import { createSchemaRegistry } from '../../src/kafka/schema-registry.ts'
import { schemaRegistryContract } from '../contract/schema-registry.contract.ts'
import { type FakeRegistryServer, startFakeRegistry } from '../support/fake-registry-server.ts'

const schema = JSON.stringify({ type: 'record', name: 'A', namespace: 'n', fields: [] })
const fails =
  (code: string, retriable: boolean, what = /./) =>
  (error: unknown) => {
    const got = error as { code?: string; retriable?: boolean; message: string }
    assert.equal(got.code, code, got.message)
    assert.equal(got.retriable, retriable)
    assert.match(got.message, what)
    return true
  }

const server: FakeRegistryServer = await startFakeRegistry()
after(() => server.close())
const open = (timeoutMs = 2_000) => createSchemaRegistry({ url: `${server.url}/`, timeoutMs })

schemaRegistryContract('over HTTP', 'http', open)

suite('schema registry over HTTP', () => {
  const withFault = async (fault: FakeRegistryServer['fault'], run: () => Promise<void>) => {
    server.fault = fault
    try {
      await run()
    } finally {
      server.fault = undefined
    }
  }

  for (const status of [500, 503, 429]) {
    test(`status ${status} is an outage, and is not tried again here`, async () => {
      await withFault(status, async () => {
        const before = server.requests.length
        await assert.rejects(
          open().schemaById(1),
          fails('REGISTRY_UNAVAILABLE', true, /cannot give the schema with id 1/),
        )
        assert.equal(server.requests.length - before, 1)
        await assert.rejects(open().lookup('s', schema), fails('REGISTRY_UNAVAILABLE', true))
      })
    })
  }

  test('what goes wrong is told without the password in the URL', async () => {
    const url = server.url.replace('://', '://bob:s3cret@')
    await withFault(503, async () => {
      const error: unknown = await createSchemaRegistry({ url })
        .schemaById(1)
        .catch(reason => reason)
      assert.match(inspect(error, { depth: 10 }), /The schema registry at http:\/\/\*\*\*@/)
      assert.doesNotMatch(inspect(error, { depth: 10 }), /s3cret/)
    })
  })

  test('no answer in time is an outage, and the next call does not wait for the one that hangs', async () => {
    const registry = open(150)
    await withFault('hang', () => assert.rejects(registry.schemaById(1), fails('REGISTRY_UNAVAILABLE', true)))
    await registry.register('after-hang', schema)
    assert.equal((await registry.latest('after-hang')).schema.length > 0, true)
  })

  test('nobody listening is an outage', async () => {
    const registry = createSchemaRegistry({ url: 'http://127.0.0.1:1', timeoutMs: 2_000 })
    await assert.rejects(registry.schemaById(1), fails('REGISTRY_UNAVAILABLE', true, /ECONNREFUSED/))
    await assert.rejects(registry.register('s', schema), fails('REGISTRY_UNAVAILABLE', true))
  })

  for (const status of [401, 403]) {
    test(`status ${status} is AUTHORISATION`, async () => {
      await withFault(status, async () => {
        await assert.rejects(open().schemaById(1), fails('AUTHORISATION', false))
        await assert.rejects(open().lookup('s', schema), fails('AUTHORISATION', false))
      })
    })
  }

  test('a 404 of something else than a registry is an outage, and makes no schema unknown', async () => {
    for (const [type, body] of [
      ['text/html', '<h1>404 Not Found</h1>'],
      ['text/plain', ''],
      ['application/json', '{"error_code":404,"message":"HTTP 404 Not Found"}'],
    ] as const) {
      const gateway = createServer((_, response) => response.writeHead(404, { 'content-type': type }).end(body))
      await once(gateway.listen(0, '127.0.0.1'), 'listening')
      const url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`
      const registry = createSchemaRegistry({ url })
      const isTold = fails('REGISTRY_UNAVAILABLE', true, /check the path of its URL/)
      try {
        await assert.rejects(registry.schemaById(1), isTold)
        await assert.rejects(registry.lookup('s', schema), isTold)
      } finally {
        gateway.close()
      }
    }
  })

  test('a real bad request is refused, not an outage', async () => {
    await withFault(400, () => assert.rejects(open().schemaById(1), fails('REGISTRY_REFUSED', false)))
    await withFault(409, () => assert.rejects(open().register('s', schema), fails('REGISTRY_REFUSED', false)))
  })

  test("the operator's compatibility level is kept, whatever it is", async () => {
    for (const level of ['NONE', 'FULL_TRANSITIVE', 'BACKWARD']) {
      server.compatibility = level
      assert.ok((await open().register(`level-${level}`, schema)) > 0)
    }
    server.compatibility = undefined
    assert.equal(server.requests.filter(request => request.startsWith('PUT')).length, 0)
  })
})
