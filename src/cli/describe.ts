import { describeTopology } from '../describe/description.ts'
import { describeAsMermaid } from '../describe/mermaid.ts'
import { describeAsText } from '../describe/text.ts'
import { describeParameters } from '../parameters.ts'
import { assertValid } from '../topology.ts'
import { importTopology } from '../topology-module.ts'
import type { TopologyFlags } from './connect.ts'

export interface DescribeFlags extends TopologyFlags {
  readonly format?: 'text' | 'mermaid' | 'json'
  readonly json?: boolean
}

/** Prints what a topology is. Reads no settings and connects to nothing. */
export async function describe(module: string, flags: DescribeFlags): Promise<void> {
  const given = flags.param ?? {}
  const imported = await importTopology(module)
  const topology = imported.build(given)
  assertValid(topology)
  const description = describeTopology(topology, describeParameters(imported.parameters, given))
  const format = flags.json === true ? 'json' : (flags.format ?? 'text')
  if (format === 'json') console.log(JSON.stringify(description))
  else console.log(format === 'mermaid' ? describeAsMermaid(description) : describeAsText(description))
}
