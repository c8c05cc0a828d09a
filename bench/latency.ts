/**
 * How long a record takes when there is little to do: 512 a second, each sent alone at its own time whatever became of
 * the ones before (open loop), timed from when it was *meant* to be sent to when a consumer of its own has the output.
 */
import { startVariant } from './child.ts'
import { against, type Figure, round } from './figures.ts'
import { startServing } from './serving.ts'
import { type Subject, WrongOutput } from './setting.ts'
import type { Received, ReceiverOrder } from './variants/latency-receiver.ts'
import type { SenderOrder, Sent } from './variants/latency-sender.ts'

const RECORDS_PER_SECOND = 512
const TARGET_MS = { p50: 5, p99: 25 }

export const latency: Subject = {
  name: 'latency',
  about: '512 records/s, open loop, from the intended send to the consumer of the output',
  async run(setting) {
    const [warmUpSeconds, seconds] = setting.quick ? [3, 10] : [10, 60]
    const serving = await startServing(setting, 'latency')
    const { brokers } = setting
    const pace = { recordsPerSecond: RECORDS_PER_SECOND, warmUpSeconds, seconds }
    const receiver = startVariant<Received>('latency-receiver', {
      brokers,
      topic: serving.out,
      ...pace,
    } satisfies ReceiverOrder)
    await receiver.ready
    const cpuBefore = await serving.application.cpuMs()
    const sender = startVariant<Sent>('latency-sender', { brokers, topic: serving.in, ...pace } satisfies SenderOrder)
    const [sent, received] = await Promise.all([sender.result, receiver.result])
    const cpuMs = (await serving.application.cpuMs()) - cpuBefore
    await serving.close()
    if (received.records !== sent.records) {
      throw new WrongOutput(`latency: ${sent.records} records were sent, ${received.records} came out`)
    }
    const facts = {
      p50Ms: round(received.p50Ms),
      p99Ms: round(received.p99Ms),
      p999Ms: round(received.p999Ms),
      maxMs: round(received.maxMs),
      sentLateP99Ms: round(sent.lateP99Ms),
      applicationCores: round(cpuMs / 1000 / (warmUpSeconds + seconds)),
      seconds,
    }
    const figures: Figure[] = [
      { name: 'latency/p50', ...facts, ...against(received.p50Ms, '<=', TARGET_MS.p50, ' ms') },
      { name: 'latency/p99', p99Ms: facts.p99Ms, ...against(received.p99Ms, '<=', TARGET_MS.p99, ' ms') },
    ]
    return figures
  },
}
