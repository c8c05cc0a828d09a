/** The small subject as a service: running on empty topics until it is stopped. */
import { join } from 'node:path'
import type { RunSettings } from '../src/run-settings.ts'
import { loadTopology } from '../src/topology-module.ts'
import { startVariant, type Variant } from './child.ts'
import { createTopic, createTopicsOf, PLAIN_SHAPE, type TopicShape } from './input.ts'
import { SMALL_MLP, writeMlp } from './make-mlp.ts'
import { MAX_BATCH, requireNoDeadLetters, TOPOLOGY_FILE } from './pipeline.ts'
import type { Setting } from './setting.ts'
import type { TopologyOrder } from './variants/topology.ts'

export interface Serving {
  readonly in: string
  readonly out: string
  readonly application: Variant<object>
  close(): Promise<void>
}

export interface ServingOptions {
  readonly shape?: TopicShape
  readonly settings?: Partial<RunSettings>
}

export async function startServing(
  setting: Setting,
  name: string,
  { shape = PLAIN_SHAPE, settings }: ServingOptions = {},
): Promise<Serving> {
  const { port, brokers, folder, lanes, provenance } = setting
  const topics = { in: `bench.${name}.in`, out: `bench.${name}.out` }
  const model = join(folder, 'small.onnx')
  writeMlp(model, SMALL_MLP)
  const parameters = {
    ...topics,
    model,
    width: String(SMALL_MLP[0]),
    applicationId: `bench-${name}`,
    maxBatch: String(MAX_BATCH),
    provenance: String(provenance),
  }
  await createTopic(port, topics.in, shape)
  await createTopicsOf(port, await loadTopology(TOPOLOGY_FILE, parameters), shape)
  const order: TopologyOrder = { brokers, file: TOPOLOGY_FILE, parameters, lanes, maxBatch: MAX_BATCH, settings }
  const application = startVariant<object>('topology', order)
  await application.ready
  return {
    ...topics,
    application,
    async close() {
      application.stop()
      await application.result
      await requireNoDeadLetters(setting)
      await port.admin.deleteTopics(Object.values(topics))
    },
  }
}
