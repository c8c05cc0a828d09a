import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, describe, test } from 'node:test'
import { ownCluster } from '../support/cluster.ts'

const cluster = await ownCluster({ brokers: 1, registry: true })
after(() => cluster.stop())

const SUBJECT = 'restart-value'

async function register(): Promise<number> {
  const answer = await fetch(`${cluster.registryUrl}/subjects/${SUBJECT}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: '"string"' }),
  })
  return ((await answer.json()) as { id: number }).id
}

function accepts(address: string): Promise<boolean> {
  const { hostname, port } = new URL(`tcp://${address}`)
  return new Promise(resolve => {
    const socket = connect(Number(port), hostname)
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('close', () => {}).once('connect', () => socket.destroy())
  })
}

describe('a part that is killed comes back', { skip: cluster.skip }, () => {
  test('a broker, on its port', async () => {
    const [address] = cluster.brokers
    assert.equal(await accepts(address!), true)
    await cluster.killBroker(0)
    assert.equal(await accepts(address!), false)
    await cluster.startBroker(0)
    assert.equal(await accepts(address!), true)
  })

  test('the registry, with its schemas and ids', async () => {
    const id = await register()
    await cluster.killRegistry()
    await assert.rejects(fetch(`${cluster.registryUrl}/subjects`))
    await cluster.startRegistry()
    const answer = await fetch(`${cluster.registryUrl}/schemas/ids/${id}`)
    assert.equal(((await answer.json()) as { schema: string }).schema, '"string"')
    assert.equal(await register(), id)
  })

  test('what is not there cannot be killed', async () => {
    await assert.rejects(cluster.killBroker(3), /broker-4/)
  })
})
