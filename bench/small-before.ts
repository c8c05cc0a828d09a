/** What a change costs where it should cost nothing: raw rows through the small model, by this checkout and by one before it. */
import { join } from 'node:path'
import { against } from './figures.ts'
import { createTopic, preload, tensorRows } from './input.ts'
import { SMALL_MLP, writeMlp } from './make-mlp.ts'
import { PAIRS, runPairs } from './paired.ts'
import { MAX_BATCH, requireNoDeadLetters, runTopology, TOPOLOGY_FILE } from './pipeline.ts'
import type { Subject } from './setting.ts'

const IN = 'bench.small-before.in'
const RECORDS = { quick: 200_000, full: 1_000_000 }
const TARGET = 0.95

export const smallBefore: Subject = {
  name: 'pipeline-shapes/small',
  about: 'the small pipeline of this checkout beside that of --before; without one it is left out',
  async run(setting) {
    const { port, quick, folder, before, say } = setting
    if (before === undefined) {
      say('pipeline-shapes/small: left out, since there is no --before')
      return []
    }
    const records = RECORDS[quick ? 'quick' : 'full']
    const model = join(folder, 'small-before.onnx')
    const [width] = SMALL_MLP
    writeMlp(model, SMALL_MLP)
    await createTopic(port, IN)
    await preload(port, IN, records, tensorRows(width))
    const run = (kind: string, checkout?: string) => async (round: number) => {
      const out = `bench.small-before.${kind}-${round}`
      await createTopic(port, out)
      const parameters = { in: IN, out, model, width: String(width), applicationId: out, maxBatch: String(MAX_BATCH) }
      const measured = await runTopology(
        setting,
        {
          ...{ file: TOPOLOGY_FILE, parameters, lanes: setting.lanes, maxBatch: MAX_BATCH },
          until: { topic: IN, records },
        },
        checkout,
      )
      await requireNoDeadLetters(setting)
      await port.admin.deleteTopics([out])
      // The other checkout may be one that does not say how many.
      return { ...measured, records }
    }
    const rounds = setting.rounds ?? PAIRS[quick ? 'quick' : 'full']
    const order = { name: 'pipeline-shapes/small', rounds, say }
    const paired = await runPairs({ ...order, subject: run('now'), against: run('before', before) })
    await port.admin.deleteTopics([IN])
    return [{ ...paired, ...against(paired.ratio!, '>=', TARGET) }]
  },
}
