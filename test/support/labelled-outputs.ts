/** Outputs of `bad-loads-topology.ts`, each held against what the model that it names gives for its source record. */
import assert from 'node:assert/strict'
import type { KafkaPort } from '../../src/kafka/port.ts'
import type { Labelled } from './bad-loads-topology.ts'

/** Of what the cpu gives. */
const TOLERANCE = 1e-6

export interface LabelledTopics {
  readonly source: string
  readonly output: string
}

/** What a model gives for the record at this place of the source; undefined: there is no such model. */
export type Recompute = (modelId: string, partition: number, offset: number) => ArrayLike<number> | undefined

/** Counts outputs by model, as read_committed readers see them; fails unless there is one for each source record, in order, and its model gave it. */
export async function judgeLabelled(
  port: KafkaPort,
  { source, output }: LabelledTopics,
  recompute: Recompute,
  tolerance = TOLERANCE,
): Promise<ReadonlyMap<string, number>> {
  const ends = (await port.admin.offsets(source)).map(({ end }) => end)
  const next = ends.map(() => 0)
  const counts = new Map<string, number>()
  const ranges = ends.map((_, partition) => ({
    ...{ topic: output, partition, from: 'earliest' as const, to: 'end' as const },
  }))
  for await (const block of port.scan(ranges)) {
    for (let i = 0; i < block.count; i++) {
      const [, place] = block.headers(i).find(([name]) => name === 'kri-source')!
      const [partition, offset] = String(place).split('/').slice(1).map(Number) as [number, number]
      assert.equal(offset, next[partition], `${output}: nothing lost, nothing twice, all in order, in ${place}`)
      next[partition] = offset + 1
      const { modelId, y } = JSON.parse(String(block.value(i))) as Labelled
      counts.set(modelId, (counts.get(modelId) ?? 0) + 1)
      const expected = recompute(modelId, partition, offset)
      const isRight = expected?.length === y.length && y.every((got, at) => Math.abs(got - expected[at]!) <= tolerance)
      assert.ok(isRight, `${output}: ${place} was not scored by ${modelId}`)
    }
  }
  assert.deepEqual(next, ends, `${output}: nothing lost at the end`)
  return counts
}
