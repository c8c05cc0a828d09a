import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { GroupMember } from '../../src/kafka/port.ts'
import { emptyRecord, RecordBatchBuilder } from '../../src/kafka/record-batch-builder.ts'
import { encodeStatus, type RefreshState } from '../../src/refresh/status-record.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { followedApp } from '../support/followed-app.ts'
import { kriInProcess } from '../support/kri-in-process.ts'

const V1 = 'models/digits-mlp-v1.onnx'
const V2 = 'models/digits-mlp-v2.onnx'
const cluster = await testCluster()

describe('kri models on a cluster', { skip: cluster.skip, timeout: 120_000 }, () => {
  const { id, input, module, flags, processes, models, json, refusal } = followedApp(cluster, V1)

  it('publishes, shows it, and goes back', async () => {
    const first = await json('publish', V2, '--by', 'me', '--reason', 'better')
    assert.partialDeepStrictEqual(first, {
      ...{ slot: 'infer', checked: true },
      state: {
        revision: 1,
        stable: { modelId: V2, modelName: 'digits-mlp-v2', sizeBytes: 69_410 },
        publishedBy: 'me',
        reason: 'better',
      },
    })
    const one = await models('publish', 'models/digits-mlp-fp16.onnx', '--no-check')
    const back = await json('rollback')
    assert.match(
      one.stdout,
      /infer: revision 2 \(offset \d+\).*\n {2}serves: "models\/digits-mlp-fp16\.onnx".*\n {2}before: "models\/digits-mlp-v2\.onnx"/,
    )
    assert.match(one.stdout, new RegExp(`back: kri models rollback ${module} --step infer`))
    assert.deepEqual([back.state.revision, back.state.stable], [3, first.state.stable])
    const list = await json('ls')
    assert.deepEqual(
      list.slots[0].history.map(({ kind, isCurrent }: { kind: string; isCurrent: boolean }) => [kind, isCurrent]),
      [
        ['back', true],
        ['published', false],
        ['published', false],
      ],
    )
    const text = (await models('ls')).stdout
    assert.match(
      text,
      /^infer: "models\/digits-mlp-v2\.onnx" \([0-9a-f]{12}\)\n {2}back to: the handler's own model\n {2}\* offset \d+ {2}revision 3 {2}back to /,
    )
    assert.match(text, /revision 1 {2}published .* by me: better/)
    assert.equal((await json('rollback', '--to', '2')).state.stable.modelId, 'models/digits-mlp-fp16.onnx')
    assert.equal((await json('rollback', '--to', 'own')).state.stable.modelId, '')
    assert.match(
      await refusal('rollback', '--to', '77'),
      /\[METADATA_INVALID\] revision 77 is not in the log any more, which has 1, 2, 3, 4, 5/,
    )
  })

  it('a model that would not do is refused, and nothing is published', async () => {
    const before = (await json('ls')).slots[0]
    const { code, stdout } = await models('publish', 'models/digits-5class.onnx', '--dry-run')
    assert.equal(code, 1, stdout)
    assert.match(stdout, /output '': expected float32\[10\], got float32\[5\]/)
    assert.match(
      await refusal('publish', 'models/digits-5class.onnx'),
      /\[MODEL_UNUSABLE\].*expected float32\[10\], got float32\[5\]/,
    )
    assert.match(await refusal('publish', 'models/digits-width32.onnx'), /\[MODEL_UNUSABLE\].*float32\[64\]/)
    assert.match(await refusal('publish', 'models/corrupt-garbage.onnx'), /\[MODEL_UNUSABLE\]/)
    assert.match(await refusal('publish', 'models/none.onnx'), /\[MODEL_UNUSABLE\].*none\.onnx/)
    assert.match(await refusal('publish', 'package.json', '--no-check'), /not in an allowed place/)
    assert.match(await refusal('publish', V2, '--step', 'inferr'), /--step: .*Did you mean infer\?/)
    const width = ['--param', 'width=64']
    const deaf = await kriInProcess([
      'models',
      'ls',
      'topologies/raw-tensors.ts',
      ...flags,
      ...width,
      '--brokers',
      'none:1',
    ])
    assert.match(deaf.stderr, /step "infer" does not follow what is published.*modelMetadata: true/)
    assert.match(await refusal('publish', V2, '--canary', '5', '--shadow'), /--canary and --shadow exclude each other/)
    assert.match(await refusal('promote'), /\[METADATA_INVALID\] no model is on trial/)
    assert.deepEqual((await json('ls')).slots[0], before)
    assert.match(
      (await models('publish', V2, '--dry-run')).stdout,
      /input '': expected float32\[64\], got float32\[64\]\n.*\n {2}it can take its place\nnothing was published/,
    )
  })

  it('a trial is published, promoted and aborted', async () => {
    const { state } = await json('publish', V2, '--canary', '12.5', '--abort-if', 'failures=3')
    const rule = { failureFactor: 3, latencyFactor: 2, minRecords: 1_000 }
    assert.partialDeepStrictEqual(state.candidate, { mode: 'canary', percent: 12.5, abortIf: rule })
    assert.equal((await json('promote')).state.stable.modelId, V2)
    assert.partialDeepStrictEqual((await json('publish', V1, '--shadow')).state.candidate, {
      mode: 'shadow',
      percent: 100,
    })
    const aborted = await models('abort', '--reason', 'too slow')
    assert.match(aborted.stdout, /the trial is over: shadow of 100 % of the keys/)
    const kinds = (await json('ls')).slots[0].history.slice(0, 4).map(({ kind }: { kind: string }) => kind)
    assert.deepEqual(kinds, ['aborted', 'shadow', 'promoted', 'canary'])
  })

  it('waits for the members that the group has now, not for what the dead have written', async () => {
    const nobody = await models('publish', V2, '--wait', '1', '--no-check')
    assert.equal(nobody.code, 1)
    assert.match(nobody.stderr, /no instance is in the group, after 1\.\d s.*Start one with kri run/)
    const { port } = processes
    const writer = port.writer()
    const say = async (
      instance: string,
      memberIds: readonly string[],
      offset: number,
      state: RefreshState,
      reason?: string,
    ) => {
      const slot = {
        slot: 'infer',
        revision: 1,
        metadataOffset: offset,
        state,
        ...(reason ? { reason } : {}),
        modelId: V1,
        since: new Date().toISOString(),
        positions: {},
      }
      const value = encodeStatus({
        instance,
        memberIds,
        slots: [slot],
        ignored: {},
        writtenAt: new Date().toISOString(),
      })
      const builder = new RecordBatchBuilder(`${id}.model-status`, 0, 1_000_000)
      const key = Buffer.from(instance)
      builder.append({
        ...emptyRecord(),
        timestamp: Date.now(),
        key,
        keyEnd: key.length,
        value,
        valueEnd: value.length,
      })
      await writer.send([builder.seal()])
    }
    await say('dead', ['member-of-before'], 0, 'loading')
    const member = port.member(
      {
        groupId: id,
        sources: [{ topic: input, start: 'earliest' }],
        sessionTimeoutMs: 10_000,
        heartbeatIntervalMs: 200,
        rebalanceTimeoutMs: 10_000,
        drainBudgetMs: 0,
        maxBytesPerPartition: 1_000,
        maxBytesPerFetch: 1_000,
        maxFetchWaitMs: 100,
      },
      { onAssigned() {}, onLost() {}, onBlock() {}, onRebalance: async () => {}, onState() {}, onFatal() {} },
    ) satisfies GroupMember
    await member.start()
    try {
      const [memberId] = (await port.admin.describeGroup(id)).members.map(each => each.memberId)
      await say('here', [memberId!], 0, 'current')
      const publishing = processes.kri('models', 'publish', module, ...flags, V2, '--no-check', '--wait', '20')
      await eventually(
        'it waits for the instance',
        async () => /here has not read it yet/.test(publishing.output()),
        20_000,
      )
      const offset = Number(/\(offset (\d+)\)/.exec(publishing.output())![1])
      await say('here', [memberId!], offset, 'current')
      assert.equal(await publishing.ended, 0, publishing.log())
      assert.match(publishing.output(), /here runs it\nall 1 instance run it, after /)
      await say('here', [memberId!], offset, 'failed', 'it does not load')
      const { code, stdout } = await models('status')
      assert.equal(code, 1)
      assert.match(
        stdout,
        /^1 members of the group\ninfer: revision \d+, "models\/digits-mlp-v2\.onnx" .*\n {2}here {2}failed since .* serves models\/digits-mlp-v1\.onnx: it does not load\n/,
      )
      assert.match(stdout, /gone without a goodbye, and not counted: dead/)
      const failed = await models('rollback', '--wait', '1')
      assert.equal(failed.code, 1)
    } finally {
      await member.stop()
      await writer.close()
    }
  })
})
