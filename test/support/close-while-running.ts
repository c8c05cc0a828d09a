/** Closes an executor while runs and loads are under way, then leaves it to the process to end. */
import { createThreadExecutor } from '../../src/models/thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { modelSpec, tensor } from './model-specs.ts'

const file = process.argv[2]!
const spec = modelSpec(file, { x: tensor('float32', 784) }, { probabilities: tensor('float32', 10) })
const executor = createThreadExecutor(
  { lanes: 2, maxBatchRows: 2048 },
  { logger: silentLogger, clock: systemClock, random: Math.random },
)
const models = await Promise.all(executor.lanes.map(lane => lane.load(spec)))
const ended = { runs: 0, loads: 0 }
for (const model of models) {
  for (let slot = model.acquire(); slot; slot = model.acquire()) {
    slot.prepare(2048, [[784]])
    void slot.run(0, 2048).then(() => ended.runs++)
  }
}
for (const lane of executor.lanes) void lane.load({ ...spec, identifier: 'another' }).then(() => ended.loads++)
await executor.close()
process.stdout.write(`${ended.runs} runs and ${ended.loads} loads ended before close\n`)
