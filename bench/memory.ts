/** Peak resident memory of the application over a long input and over a short one: what grows with the input would show. */
import { join } from 'node:path'
import { against, median, round } from './figures.ts'
import { createTopic, preload, tensorRows } from './input.ts'
import { SMALL_MLP, writeMlp } from './make-mlp.ts'
import { MAX_BATCH, runTopology, TOPOLOGY_FILE } from './pipeline.ts'
import type { Subject } from './setting.ts'

const TARGET = 1.15
const SHORT = 200_000

export const memory: Subject = {
  name: 'memory',
  about: 'peak memory at 2 M records beside that at 200 k',
  async run({ port, folder, lanes, quick, say, ...rest }) {
    const long = quick ? 600_000 : 2_000_000
    const rounds = rest.rounds ?? (quick ? 1 : 3)
    const model = join(folder, 'small.onnx')
    writeMlp(model, SMALL_MLP)
    const peaks = new Map<number, number[]>()
    for (const records of [SHORT, long]) {
      await createTopic(port, `bench.memory.in-${records}`)
      await preload(port, `bench.memory.in-${records}`, records, tensorRows(SMALL_MLP[0]))
      peaks.set(records, [])
    }
    for (let i = 0; i < rounds; i++) {
      for (const [records, found] of peaks) {
        const [input, out] = [`bench.memory.in-${records}`, `bench.memory.out-${records}-${i}`]
        const parameters = {
          in: input,
          out,
          model,
          width: String(SMALL_MLP[0]),
          applicationId: `bench-memory-${records}-${i}`,
          maxBatch: String(MAX_BATCH),
          provenance: String(rest.provenance),
        }
        const { peakRssBytes } = await runTopology(
          { port, folder, lanes, quick, say, ...rest },
          { file: TOPOLOGY_FILE, parameters, lanes, maxBatch: MAX_BATCH, until: { topic: input, records } },
        )
        found.push(peakRssBytes / 2 ** 20)
        say(`memory ${records.toLocaleString('en')} records: peak ${Math.round(found.at(-1)!)} MiB`)
        await port.admin.deleteTopics([out])
      }
    }
    await port.admin.deleteTopics([...peaks.keys()].map(records => `bench.memory.in-${records}`))
    const [shortMiB, longMiB] = [...peaks.values()].map(median) as [number, number]
    const ratio = round(longMiB / shortMiB)
    return [
      {
        name: 'memory',
        ratio,
        records: long,
        peakMiB: round(longMiB),
        shortRecords: SHORT,
        shortPeakMiB: round(shortMiB),
        rounds,
        ...against(ratio, '<=', TARGET),
      },
    ]
  },
}
