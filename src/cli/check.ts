import { type Checked, type CheckParts, checkTopology } from '../check/check.ts'
import { watchEffects } from '../check/import-effects.ts'
import { type CheckReport, createFindings, type Findings } from '../check/report.ts'
import { reportAsText } from '../check/report-text.ts'
import { within } from '../check/within.ts'
import { RunInferenceError } from '../errors.ts'
import type { SchemaRegistryPort } from '../kafka/codec.ts'
import type { KafkaPort } from '../kafka/port.ts'
import { readSchemaFile } from '../kafka/schema-files.ts'
import { registerSchemas, schemaNeeds } from '../kafka/topic-schemas.ts'
import { loadSettings, type Settings, strayVariables, visibleSecrets } from '../load-settings.ts'
import { createExecutor } from '../models/executors.ts'
import { readMachine } from '../models/machine.ts'
import { modelsOf } from '../models/model-handler.ts'
import { systemClock } from '../ops/clock.ts'
import { killThisProcess } from '../ops/lifecycle.ts'
import { createLogger, type Logger, silentLogger } from '../ops/logger.ts'
import { describeParameters, type ParameterDescription } from '../parameters.ts'
import { badValue } from '../problem.ts'
import { parseSettings } from '../settings-parsing.ts'
import { createMemoryRegistry } from '../testing/memory-registry.ts'
import type { Topology } from '../topology.ts'
import { importTopology } from '../topology-module.ts'
import { prepareConnections, type TopologyFlags } from './connect.ts'
import { modelSourceOf } from './model-access.ts'
import { shellLine } from './shell-words.ts'

const NOTHING: Checked = { models: [], topics: [], schemas: [], examples: [] }
/** Not asked, where there is no cluster; the setting must be there. */
const NO_BROKERS = { brokers: 'offline:1' }
/** Less than what the check gives the broker in all, so that the cause is told and not just that time is over. */
const BROKER_PATIENCE_MS = 3_000
/** A thread that is busy for so long when all is done is in a call that does not return: it is told, and then ended. */
const CLOSE_MS = 1_500
/** Examples are few. */
const BATCH_ROWS = 8

export interface CheckFlags extends TopologyFlags {
  readonly offline?: boolean
  readonly example?: string
  readonly source?: string
  readonly keyField?: string
  readonly json?: boolean
}

/** Finds what `run` would refuse, and more. Exit code 1 when there are problems. */
export async function check(module: string, flags: CheckFlags): Promise<void> {
  let hangs = false
  const report = await reportOf(module, flags, () => {
    hangs = true
  })
  console.log(flags.json === true ? JSON.stringify(report) : reportAsText(report))
  if (report.ok) return
  process.exitCode = 1
  // What a bad module has opened would keep the process; everything of ours is closed by now, but for lanes that are stuck: while
  // one is in native code, any other end would abort.
  process.stdout.write('', () => (hangs ? killThisProcess() : process.exit()))
}

async function reportOf(module: string, flags: CheckFlags, onHanging: () => void): Promise<CheckReport> {
  const startedAt = systemClock.now()
  const findings = createFindings()
  const { topology, parameters } = await importInto(findings, module, flags)
  const given = settingsInto(findings, flags)
  // With settings that are wrong there is no cluster to ask, and the rest can be looked at all the same.
  const offline = flags.offline === true || given === undefined
  const checked = topology
    ? await checkWith(topology, module, given ?? defaultSettings(), offline, flags, findings, onHanging)
    : NOTHING
  return {
    ok: findings.problems.length === 0,
    topology: topology?.name ?? null,
    parameters,
    offline,
    problems: findings.problems,
    warnings: findings.warnings,
    ...checked,
    seconds: Number(((systemClock.now() - startedAt) / 1000).toFixed(3)),
  }
}

interface Imported {
  /** Undefined: it cannot be loaded, or not with these parameters. */
  readonly topology?: Topology
  readonly parameters: readonly ParameterDescription[]
}

async function importInto(findings: Findings, module: string, { param = {} }: CheckFlags): Promise<Imported> {
  // The first thing that happens in this process: nothing else opens anything meanwhile.
  const effects = watchEffects()
  let parameters: Imported['parameters'] = []
  try {
    const imported = await importTopology(module)
    parameters = describeParameters(imported.parameters, param)
    const topology = imported.build(param)
    for (const warning of imported.warnings) findings.warning('topology', warning)
    for (const problem of await effects.problems(module)) findings.problem('topology', 'TOPOLOGY_INVALID', problem)
    return { topology, parameters }
  } catch (error) {
    findings.thrown('topology', error, module, 'Correct the module')
    return { parameters }
  }
}

function settingsInto(findings: Findings, flags: CheckFlags): Settings | undefined {
  for (const warning of [...strayVariables(), ...visibleSecrets(flags)]) findings.warning('settings', warning)
  const fallbacks = flags.offline === true ? { fallbacks: NO_BROKERS } : {}
  try {
    return loadSettings({ flags, configFile: flags.config, ...fallbacks })
  } catch (error) {
    findings.thrown('settings', error, 'settings', 'Correct the settings')
    return undefined
  }
}

function defaultSettings(): Settings {
  const parsed = parseSettings(NO_BROKERS)
  if ('settings' in parsed) return parsed.settings
  throw new RunInferenceError('BUG', 'the default settings have problems')
}

async function checkWith(
  topology: Topology,
  module: string,
  settings: Settings,
  offline: boolean,
  flags: CheckFlags,
  findings: Findings,
  onHanging: () => void,
): Promise<Checked> {
  await using resources = new AsyncDisposableStack()
  // Timers of ours do not keep the process alive, and a cluster that does not answer has nothing else.
  const alive = setInterval(() => {}, 60_000)
  resources.defer(() => clearInterval(alive))
  const topics = topology.sources.map(({ topic }) => topic)
  if (flags.source !== undefined && !topics.includes(flags.source))
    findings.problem(
      'example',
      'SETTINGS_INVALID',
      badValue('--source', 'it', `one of ${topics.join(', ')}`, flags.source),
    )
  const logger = flags.logLevel === undefined ? silentLogger : createLogger(settings.logLevel)
  const connections = await connectionsInto(findings, topology, settings, offline, logger)
  resources.defer(() => connections.close())
  const executor = createExecutor(
    { models: topology.steps.flatMap(step => modelsOf(step.handler)), lanes: settings.lanes, maxBatchRows: BATCH_ROWS },
    { logger, clock: systemClock, random: Math.random, stuckMs: settings.stuckMs },
  )
  resources.defer(async () => {
    const late = () => new RunInferenceError('LANE_STUCK', 'a model is inside a call that does not return')
    const remedy = "Correct it; with isolation: 'process' and timeoutMs, such a call is ended and is a dead letter"
    const isBusy = executor.lanes.some(lane => lane.isolation === 'thread' && lane.busyMs() > 0)
    const closing = executor.close()
    if (isBusy)
      await within(systemClock, CLOSE_MS, closing, late).catch(error =>
        findings.thrown('models', error, 'models in threads', remedy),
      )
    await closing
    if (executor.leaving.length > 0) onHanging()
  })
  const { example, source, keyField } = flags
  const parts: CheckParts = {
    port: connections.port,
    registry: connections.registry,
    readSchema: readSchemaFile,
    executor,
    modelFiles: modelSourceOf(settings, topology, systemClock),
    machine: readMachine(),
    settings,
    clock: systemClock,
    logger,
    moduleArguments: argumentsOf(module, flags.param),
    ...(example === undefined ? {} : { exampleFile: example }),
    ...(source === undefined ? {} : { exampleSource: source }),
    ...(keyField === undefined ? {} : { keyField }),
  }
  return await checkTopology(topology, parts, findings)
}

function argumentsOf(module: string, parameters: TopologyFlags['param'] = {}): string {
  const given = Object.entries(parameters).map(([name, value]) =>
    typeof value === 'string' ? `${name}=${value}` : name,
  )
  const words = [module, ...given.flatMap(text => ['--param', text])]
  return shellLine(words)
}

/** Offline, and where the settings name files that cannot be read, the project's own schemas stand for a registry. */
async function connectionsInto(
  findings: Findings,
  topology: Topology,
  settings: Settings,
  offline: boolean,
  logger: Logger,
): Promise<{ port: KafkaPort | undefined; registry: SchemaRegistryPort | undefined; close(): Promise<void> }> {
  if (!offline) {
    try {
      return await prepareConnections(settings, logger, { adminPatienceMs: BROKER_PATIENCE_MS })
    } catch (error) {
      findings.thrown('settings', error, 'settings', 'Correct the settings')
    }
  }
  const registry = createMemoryRegistry()
  for (const need of schemaNeeds(topology)) {
    await registerSchemas([need], registry, readSchemaFile).catch((error: unknown) =>
      findings.thrown('schemas', error, `schema ${need.schema}`, 'Correct the schema file'),
    )
  }
  return { port: undefined, registry, close: async () => {} }
}
