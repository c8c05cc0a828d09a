// Instances as processes on a real broker, while models are published: what is published, and what really serves.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { encodeLargeDigits } from '../../bench/large-digits.ts'
import { readDigits, trainSoftmax } from '../../bench/train-digits.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { followedApp } from '../support/followed-app.ts'

const V1 = 'models/digits-mlp-v1.onnx'
const V2 = 'models/digits-mlp-v2.onnx'
const GARBAGE = 'models/corrupt-garbage.onnx'
const PATIENCE_MS = 60_000
/** Takes long enough to be killed in the midst of it. */
const LARGE_MIB = 60
const cluster = await testCluster()

describe('instances while models are published', { skip: cluster.skip, timeout: 240_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kri-live-models-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  const { module, flags, processes, models, json } = followedApp(cluster, V1, 3)
  const roots = ['--model-roots', `models,${folder}`]
  const run = () => {
    const own = ['--http-port', '0', '--session-timeout-ms', '6000', ...roots]
    return processes.kri('run', module, ...flags, ...own)
  }
  /** What each member of the group says: `state modelId`. */
  const fleet = async () => {
    const { stdout } = await models('status', '--json')
    const { members, slots } = JSON.parse(stdout)
    const instances = (slots[0]?.instances ?? []) as { status: { state: string; modelId?: string } }[]
    return { members, serving: instances.map(({ status }) => `${status.state} ${status.modelId}`) }
  }
  const untilFleet = (what: string, members: number, serving: string) =>
    eventually(
      what,
      async () => {
        const now = await fleet()
        return now.members === members && now.serving.length === members && now.serving.every(each => each === serving)
      },
      PATIENCE_MS,
    )

  it('all of them take a model up; the dead do not count; a bad one changes nothing, nor does it for who starts later', async () => {
    const instances = [run(), run(), run()]
    for (const instance of instances) await instance.whenReady(PATIENCE_MS)
    const publishing = await models('publish', V2, '--wait', '60')
    assert.equal(publishing.code, 0, publishing.stdout + publishing.stderr)
    assert.match(publishing.stdout, /all 3 instances run it/)
    await untilFleet('three run it', 3, `current ${V2}`)

    instances[0]!.child.kill('SIGKILL')
    await untilFleet('two are left, and run it', 2, `current ${V2}`)

    const bad = await models('publish', GARBAGE, '--no-check', '--wait', '60')
    assert.equal(bad.code, 1, bad.stdout)
    await untilFleet('what served before serves', 2, `failed ${V2}`)
    const late = run()
    await late.whenReady(PATIENCE_MS)
    await untilFleet('so it does in one that starts now', 3, `failed ${V2}`)

    const back = await models('rollback', '--wait', '60')
    assert.equal(back.code, 0, back.stdout + back.stderr)
    await untilFleet('the bad one is gone', 3, `current ${V2}`)
    for (const { child, ended, log } of [...instances.slice(1), late]) {
      child.kill('SIGTERM')
      assert.equal(await ended, 0, log())
    }
  })

  it('one that is killed while it loads comes up on what is published', async () => {
    const large = join(folder, 'large.onnx')
    writeFileSync(large, encodeLargeDigits(trainSoftmax(readDigits()), LARGE_MIB))
    const first = run()
    await first.whenReady(PATIENCE_MS)
    await json('publish', large, '--no-check', ...roots)
    await eventually('it loads', async () => (await fleet()).serving.includes(`loading ${V2}`), PATIENCE_MS)
    first.child.kill('SIGKILL')
    await first.ended
    const second = run()
    await second.whenReady(PATIENCE_MS)
    await untilFleet('it runs what was published', 1, `current ${large}`)
    second.child.kill('SIGTERM')
    assert.equal(await second.ended, 0, second.log())
  })
})
