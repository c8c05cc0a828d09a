import { RunInferenceError } from '../errors.ts'
import { registerSchemas, schemaNeeds } from '../kafka/topic-schemas.ts'
import { applyPlan, planTopics, type TopicPlan, topicNames } from '../kafka/topics.ts'
import { type Connected, connect, readSchema, type TopologyFlags } from './connect.ts'

export interface TopicsFlags extends TopologyFlags {
  readonly schemas?: boolean
  readonly json?: boolean
}

/** Shows what `apply` would do. Exit code 1 when something stands against it. */
export async function planTopicsOf(module: string, flags: TopicsFlags): Promise<void> {
  const connected = await connect(module, flags)
  try {
    const plan = await planOf(connected)
    print(plan, 'would create', 'would change', flags.json === true)
    if (plan.refuse.length > 0) process.exitCode = 1
  } finally {
    await connected.close()
  }
}

/** Creates and changes topics and, with `--schemas`, registers schemas. Safe to repeat. */
export async function applyTopicsOf(module: string, flags: TopicsFlags): Promise<void> {
  const connected = await connect(module, flags)
  try {
    const plan = await planOf(connected)
    await applyPlan(plan, connected.port.admin)
    print(plan, 'created', 'changed', flags.json === true)
    if (flags.schemas === true) await applySchemas(connected, flags.json === true)
  } finally {
    await connected.close()
  }
}

async function planOf({ topology, settings, port }: Connected): Promise<TopicPlan> {
  const { partitions, replicationFactor, minIsr } = settings
  const existing = await port.admin.describeTopics(topicNames(topology))
  const brokerCount = await port.admin.brokerCount()
  return planTopics(topology, existing, { partitions, replicationFactor, minIsr, brokerCount })
}

async function applySchemas({ topology, registry }: Connected, json: boolean): Promise<void> {
  const needs = schemaNeeds(topology)
  if (needs.length === 0) return
  if (registry === undefined) {
    throw new RunInferenceError('SETTINGS_INVALID', 'schemas need a registry: set KRI_REGISTRY_URL or --registry-url')
  }
  const registered = await registerSchemas(needs, registry, readSchema)
  for (const schema of registered) {
    const { subject, schema: name, id, isNew } = schema
    if (json) console.log(JSON.stringify(schema))
    else console.log(`${isNew ? 'registered' : 'found'} ${subject}  ${name} has id ${id}`)
  }
}

function print(plan: TopicPlan, created: string, changed: string, json: boolean): void {
  if (json) {
    console.log(JSON.stringify(plan))
    return
  }
  for (const { name, partitions, replicationFactor } of plan.create)
    console.log(`${created} ${name}  ${partitions} partitions, replication factor ${replicationFactor}`)
  for (const { topic, reasons } of plan.change) console.log(`${changed} ${topic}  ${reasons.join('; ')}`)
  for (const problem of plan.refuse) console.log(`refused  ${problem}`)
  if (plan.create.length + plan.change.length + plan.refuse.length === 0)
    console.log('all topics are as they should be')
}
