import { type Checked, type CheckParts, checkTopology } from '../../src/check/check.ts'
import { createFindings, type Findings, type FoundProblem } from '../../src/check/report.ts'
import { readSchemaFile } from '../../src/kafka/schema-files.ts'
import { loadSettings } from '../../src/load-settings.ts'
import { createExecutor } from '../../src/models/executors.ts'
import { readMachine } from '../../src/models/machine.ts'
import { modelsOf } from '../../src/models/model-handler.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createMemoryRegistry } from '../../src/testing/index.ts'
import type { Topology } from '../../src/topology.ts'

/** Checks a topology in this process with a registry in memory and the real executor; closes what it opened. */
export async function checkOffline(
  topology: Topology,
  parts: Partial<CheckParts> = {},
): Promise<Checked & { readonly findings: Findings; readonly problems: readonly FoundProblem[] }> {
  const findings = createFindings()
  const models = topology.steps.flatMap(step => modelsOf(step.handler))
  const executor = createExecutor(
    { models, lanes: 1, maxBatchRows: 8 },
    { logger: silentLogger, clock: systemClock, random: Math.random, stuckMs: 60_000 },
  )
  try {
    const checked = await checkTopology(
      topology,
      {
        port: undefined,
        registry: createMemoryRegistry(),
        readSchema: readSchemaFile,
        executor,
        machine: readMachine(),
        settings: loadSettings({ env: { KRI_BROKERS: 'none:1', KRI_LANES: '1' } }),
        clock: systemClock,
        logger: silentLogger,
        ...parts,
      },
      findings,
    )
    return { ...checked, findings, problems: findings.problems }
  } finally {
    await executor.close()
  }
}
