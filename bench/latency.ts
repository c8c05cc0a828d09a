/**
 * How long a record takes when there is little to do: 512 a second, each sent alone at its own time whatever became of
 * the ones before (open loop), timed from when it was *meant* to be sent to when a consumer of its own has the output.
 */
import { startVariant } from './child.ts'
import { against, round } from './figures.ts'
import { PLAIN_SHAPE } from './input.ts'
import { type ServingOptions, startServing } from './serving.ts'
import { type Setting, type Subject, WrongOutput } from './setting.ts'
import type { Received, ReceiverOrder } from './variants/latency-receiver.ts'
import type { SenderOrder, Sent } from './variants/latency-sender.ts'

const RECORDS_PER_SECOND = 512
const TARGET_MS = { p50: 5, p99: 25 }

export const latency: Subject = {
  name: 'latency',
  about: '512 records/s, open loop, from the intended send to the consumer of the output',
  async run(setting) {
    const facts = await measureLatency(setting, 'latency')
    return [
      { name: 'latency/p50', ...facts, ...against(facts.p50Ms, '<=', TARGET_MS.p50, ' ms') },
      { name: 'latency/p99', p99Ms: facts.p99Ms, ...against(facts.p99Ms, '<=', TARGET_MS.p99, ' ms') },
    ]
  },
}

/** The small subject as a service under that load. */
export async function measureLatency(
  setting: Setting,
  name: string,
  options: ServingOptions & { readonly fullWarmUpSeconds?: number } = {},
) {
  const { brokers, quick } = setting
  const { partitions } = options.shape ?? PLAIN_SHAPE
  const [warmUpSeconds, seconds] = quick ? [3, 10] : [options.fullWarmUpSeconds ?? 10, 60]
  const serving = await startServing(setting, name, options)
  const pace = { recordsPerSecond: RECORDS_PER_SECOND, warmUpSeconds, seconds }
  const order: ReceiverOrder = { brokers, topic: serving.out, ...pace }
  const receiver = startVariant<Received>('latency-receiver', order)
  await receiver.ready
  const cpuBefore = await serving.application.cpuMs()
  const senderOrder: SenderOrder = { brokers, topic: serving.in, partitions, ...pace }
  const sender = startVariant<Sent>('latency-sender', senderOrder)
  const [sent, received] = await Promise.all([sender.result, receiver.result])
  const cpuMs = (await serving.application.cpuMs()) - cpuBefore
  await serving.close()
  if (received.records !== sent.records) {
    throw new WrongOutput(`${name}: ${sent.records} records were sent, ${received.records} came out`)
  }
  return {
    p50Ms: round(received.p50Ms),
    p99Ms: round(received.p99Ms),
    p999Ms: round(received.p999Ms),
    maxMs: round(received.maxMs),
    sentLateP99Ms: round(sent.lateP99Ms),
    applicationCores: round(cpuMs / 1000 / (warmUpSeconds + seconds)),
    seconds,
  }
}
