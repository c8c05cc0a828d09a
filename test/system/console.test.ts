// kri console on real brokers: what it knows of an application that it is no part of, and what it changes there.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type {
  ConsoleAbout,
  ConsoleSnapshot,
  GroupsView,
  ReplayPlanView,
  ReplayView,
  WholeLetterView,
} from '../../src/console/console-api.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { kriOnCluster } from '../support/kri-on-cluster.ts'
import type { KriProcess } from '../support/kri-process.ts'
import { writeTableModel } from '../support/table-models.ts'

const MODULE = 'test/support/poisoned-topology.ts'
const TOKEN = 'token-of-a-system-test'
const RECORDS = 40
const cluster = await testCluster()

describe('kri console', { skip: cluster.skip, timeout: 120_000 }, () => {
  const name = `${cluster.prefix}app`
  const folder = mkdtempSync(join(tmpdir(), 'kri-console-'))
  after(() => rmSync(folder, { recursive: true }))
  const [short, whole] = [writeTableModel(folder, 'short', 16), writeTableModel(folder, 'whole', 17)]
  const flags = ['--param', `name=${name}`, '--param', `model=${short}`]
  const processes = kriOnCluster('console-test', cluster.brokers)
  let console_: KriProcess
  let url: string

  async function get<T>(path: string): Promise<T> {
    const response = await fetch(`${url}api/${path}`)
    const body = await response.json()
    assert.equal(response.status, 200, JSON.stringify(body))
    return body as T
  }
  async function post<T>(path: string, body: object, status = 200): Promise<T> {
    const headers = {
      authorization: `Bearer ${TOKEN}`,
      'content-type': 'application/json',
      origin: new URL(url).origin,
    }
    const response = await fetch(`${url}api/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    const answer = await response.json()
    assert.equal(response.status, status, JSON.stringify(answer))
    return answer as T
  }
  /** The first snapshot of a stream that meets this. */
  async function snapshot(what: string, meets: (snapshot: ConsoleSnapshot) => boolean): Promise<ConsoleSnapshot> {
    const ended = new AbortController()
    const response = await fetch(`${url}api/events`, {
      signal: AbortSignal.any([ended.signal, AbortSignal.timeout(30_000)]),
    })
    let text = ''
    for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
      text += part
      for (const [, data] of text.matchAll(/^event: snapshot\ndata: (.*)\n\n/gm)) {
        const seen = JSON.parse(data!) as ConsoleSnapshot
        if (!meets(seen)) continue
        ended.abort()
        return seen
      }
    }
    return assert.fail(`${what}: ${text.slice(-2_000)}`)
  }

  before(async () => {
    const input = join(folder, 'pictures.ndjson')
    const pixels = (i: number) => new Array(64).fill(i % 10 === 7 ? 16 : 3)
    const lines = Array.from({ length: RECORDS }, (_, i) => JSON.stringify({ id: `picture-${i}`, pixels: pixels(i) }))
    writeFileSync(input, `${lines.join('\n')}\n`)
    const apply = processes.kri('topics', 'apply', MODULE, ...flags, '--partitions', '2')
    assert.equal(await apply.ended, 0, apply.log())
    const produce = processes.kri('produce', MODULE, ...flags, '--file', input, '--key-field', 'id')
    assert.equal(await produce.ended, 0, produce.log())
    const token = join(folder, 'token')
    writeFileSync(token, `${TOKEN}\n`)
    console_ = processes.kri('console', MODULE, ...flags, '--port', '0', '--console-token-file', token, '--json')
    await eventually('it listens', () => console_.output().endsWith('\n'), 30_000)
    url = (JSON.parse(console_.output()) as { url: string }).url
  })

  it('tells of an application that does not run what is to be done, and nobody would be replayed to', async () => {
    const { graph, ...about } = await get<ConsoleAbout>('about')
    assert.deepEqual([about.scope, about.application, about.canChange], ['application', name, true])
    const seen = await snapshot('lag', () => true)
    assert.deepEqual([seen.ready, seen.lag.records], [false, RECORDS])
    assert.ok(seen.lag.seconds! > 0, `${seen.lag.seconds}`)
    assert.match(JSON.stringify(seen.problems), /no member/)
    assert.deepEqual(seen.instances, [])
    assert.ok(graph.nodes.length > 4)
  })

  it('shows an instance with its partitions, publishes the model that is wanted, and replays what had failed', async () => {
    const instance = processes.kri('run', MODULE, ...flags, '--http-port', 'off')
    const seen = await snapshot('the dead letters', ({ deadLetters, lag, ready }) => {
      return ready && lag.records === 0 && deadLetters.some(({ records }) => records === RECORDS / 10)
    })
    const [only] = seen.instances
    assert.ok(only?.isMember && only.partitions === 4 && only.host !== undefined, JSON.stringify(seen.instances))
    assert.ok(seen.partitions.every(({ owner }) => owner === only.instance))
    assert.equal(seen.models[0]?.stable?.modelId, short)

    const told = await get<GroupsView>('dlq/groups')
    const [group] = told.groups
    assert.deepEqual([told.reasons, told.letters, told.open], [1, RECORDS / 10, RECORDS / 10])
    assert.deepEqual([group!.count, group!.open], [RECORDS / 10, RECORDS / 10])
    const letter = await get<WholeLetterView>(`dlq/letter?place=${group!.example}`)
    assert.equal((JSON.parse(letter.decoded!) as { pixels: number[] }).pixels[0], 16)

    const refused = await post<{ code: string }>('models/publish', { slot: 'classify', modelId: '/etc/passwd' }, 409)
    assert.equal(refused.code, 'MODEL_UNUSABLE')
    const flagged = { slot: 'classify', modelId: '--help', reason: '--by=somebody' }
    assert.equal((await post<{ code: string }>('models/publish', flagged, 409)).code, 'MODEL_UNUSABLE')
    const published = await post<object>('models/publish', { slot: 'classify', modelId: whole, reason: 'has 17 rows' })
    assert.deepEqual(published, { slot: 'classify', revision: 1 })
    await snapshot('the fleet has it', ({ models: [slot] }) => {
      return slot!.revision === 1 && slot!.fleet.some(({ state, modelId }) => state === 'current' && modelId === whole)
    })

    const selection = { fingerprint: [group!.fingerprint], open: true }
    const plan = await post<ReplayPlanView>('dlq/replay', { selection })
    assert.deepEqual([plan.selected, plan.refusal], [RECORDS / 10, undefined])
    const begun = await post<ReplayView>('dlq/replay', { selection, name: 'night', reason: 'fixed', yes: true })
    assert.equal(begun.name, 'night')
    const after = await snapshot(
      'it is over',
      ({ replays: [run] }) => run?.name === 'night' && run.state === 'finished',
    )
    assert.equal(after.replays[0]!.replayed, RECORDS / 10)
    const then = await get<GroupsView>('dlq/groups')
    assert.deepEqual([then.letters, then.open, then.groups[0]!.open], [RECORDS / 10, 0, 0])
    const again = await post<ReplayPlanView>('dlq/replay', { selection })
    assert.equal(again.selected, 0, 'nothing is open any more')

    const { revision } = await post<{ revision: number }>('models/rollback', { slot: 'classify' })
    assert.equal(revision, 2)
    instance.child.kill('SIGTERM')
    assert.equal(await instance.ended, 0, instance.log())
  })

  it('ends in order, and its token stands nowhere in its log', async () => {
    const held = await fetch(`${url}api/events`)
    console_.child.kill('SIGINT')
    assert.equal(await console_.ended, 130, console_.log())
    await held.body!.cancel().catch(() => {})
    assert.ok(!console_.log().includes(TOKEN) && !console_.output().includes(TOKEN))
  })
})
