/** Builds the parts of a pipeline and connects them; `pipeline.ts` says what they do together. */
import { RunInferenceError } from '../errors.ts'
import type { GroupMember, KafkaWriter } from '../kafka/port.ts'
import type { Header } from '../kafka/record-block.ts'
import { replayTopic } from '../kafka/topic-names.ts'
import { type ServedModel, servedModels } from '../models/served-models.ts'
import { createBreaker } from '../ops/breaker.ts'
import type { RunParts } from '../run-parts.ts'
import type { Topology } from '../topology.ts'
import { adaptiveSizes } from './adaptive.ts'
import { Admission } from './admission.ts'
import { batchPolicy } from './batch-policy.ts'
import { Batcher } from './batcher.ts'
import { Commits } from './commits.ts'
import { type CompiledGraph, compile } from './compile.ts'
import { encodeFailure } from './dead-letter.ts'
import { DeadLetterLog } from './dead-letter-log.ts'
import { Dispatcher, type DispatcherStep } from './dispatcher.ts'
import { FailurePoints } from './failure-points.ts'
import { functionsInWorker } from './function-lanes.ts'
import { InferenceStep, type InferenceStepOptions } from './inference-step.ts'
import { metricNames } from './metric-names.ts'
import { type OpenedGraph, openGraph } from './open-graph.ts'
import { Outbox } from './outbox.ts'
import { Pipeline, type SourceOfTopic } from './pipeline.ts'
import { ReplayMarks } from './replay-marks.ts'
import { Retries } from './retries.ts'
import { RowCeiling } from './row-ceiling.ts'
import { type Outputs, UnitBuilder } from './unit-builder.ts'

export interface AssembleParts extends RunParts {
  readonly note: (what: string) => void
  /** The member is made after the pipeline, since it calls it. */
  readonly member: () => GroupMember
  readonly onOutage: (what: string, error: unknown) => void
  readonly onRecovered: (what: string) => void
  readonly onFatal: (error: unknown) => void
}

export interface Assembly {
  readonly pipeline: Pipeline
  /** What runs where, now. */
  models(): readonly ServedModel[]
  /** Closes the writer and stops timers; lanes belong to whoever made them. */
  close(): Promise<void>
}

export async function assemble(topology: Topology, parts: AssembleParts): Promise<Assembly> {
  const { port, settings, clock, random, metrics, onOutage, onRecovered, onFatal } = parts
  const { openFunctionLane = functionsInWorker } = parts
  const writer = port.writer()
  const functions = new RunningFunctions({
    ...parts,
    openLane: openFunctionLane,
    onProgress: works => pipeline.progressed(works),
  })
  const opened = await openGraph({ ...parts, topology, writer })
    .then(async graph => {
      await functions.open(topology)
      return graph
    })
    .catch(async (error: unknown) => {
      await writer.close()
      throw error
    })
  for (const node of topology.steps) {
    const { namespace, models, modelName } = metricNames(node, parts.modelMetadata?.get(node.step))
    metrics.stepOpened(node.step, namespace, models, modelName)
  }
  for (const [{ step }, lanes] of opened.laneModels) {
    for (const [{ id }, { loaded }] of lanes) {
      metrics.modelLoaded(step, 0, loaded.loadMs, loaded.sizeBytes)
      metrics.modelsResident(step, id, 1)
    }
  }
  const models = () => servedModels([...opened.laneModels].map(([{ step }, lanes]) => [step, lanes.values()] as const))
  metrics.watchModels(models)
  const points = new FailurePoints(topology, parts.onFailure ? [parts.onFailure] : [])
  const graph = compile(topology, opened, points, {
    now: () => clock.now(),
    onStaged: () => dispatcher.schedule(),
    onDrop: node => metrics.dropped(node, 1),
    functions,
  })
  const steps = buildSteps(topology, graph, opened, points, parts, {
    onReleased: () => dispatcher.dispatchNow(),
    onProgress: works => pipeline.progressed(works),
    onClosed: step => dispatcher.resume(step),
  })
  const dispatcher = new Dispatcher({
    lanes: parts.executor.lanes,
    steps,
    clock,
    random,
    onOutage,
    onRecovered,
    onFatal,
  })
  const whole = topology.whole ?? topology
  const outputs: Outputs = {
    outlets: graph.outlets.map(({ node, column }) => {
      const between = whole.sources.some(source => source.writtenBy === node)
      return { column, sink: topology.sinks.indexOf(node), target: opened.targets.get(node)!, between }
    }),
    deadLetters: opened.deadLetters,
  }
  const member: Pick<GroupMember, 'commit' | 'alive' | 'pause' | 'resume'> = {
    commit: offsets => parts.member().commit(offsets),
    alive: () => parts.member().alive(),
    pause: partition => parts.member().pause(partition),
    resume: partition => parts.member().resume(partition),
  }
  const outbox = buildOutbox(topology, parts, writer, points, outputs, member, unit => pipeline.acknowledged(unit))
  const deadLetterLog = new DeadLetterLog(parts.logger, clock)
  const pipeline: Pipeline = new Pipeline({
    sourceOf: sourceOfTopic(topology, graph, points),
    outletCount: graph.outlets.length,
    admission: new Admission(
      { maxRows: settings.maxInFlightRows, maxBytes: settings.maxInFlightBytes },
      flow => member.pause(flow),
      flow => member.resume(flow),
    ),
    dispatcher,
    outbox,
    commits: new Commits(
      member,
      clock,
      settings.commitIntervalMs,
      ({ topic, partition, committed }) => metrics.committed(topic, partition, committed),
      onFatal,
    ),
    deadLetterLog,
    clock,
    random,
    metrics,
    note: parts.note,
    onOutage,
    onRecovered,
    onFatal,
  })
  return {
    pipeline,
    models,
    async close() {
      outbox.close()
      dispatcher.close()
      deadLetterLog.close()
      await functions.close()
      await writer.close()
    },
  }
}

function buildSteps(
  topology: Topology,
  graph: CompiledGraph,
  opened: OpenedGraph,
  points: FailurePoints,
  { clock, random, logger, metrics, note, onOutage, onRecovered }: AssembleParts,
  {
    onReleased,
    onProgress,
    onClosed,
  }: Pick<InferenceStepOptions, 'onReleased' | 'onProgress'> & { readonly onClosed: (step: InferenceStep) => void },
): DispatcherStep[] {
  const adaptiveSizeOf = adaptiveSizes(random)
  return topology.steps.map((node, i) => {
    const { input, output } = graph.steps[i]!
    const policy = batchPolicy(node.options.batch ?? {})
    const adaptive = adaptiveSizeOf(node)
    const batcher = new Batcher(policy, adaptive)
    metrics.batchCeiling(node.step, policy.maxSize)
    const step = new InferenceStep({
      step: node.step,
      input,
      output,
      batcher,
      adaptive,
      failureUnit: node.options.exceptionHandling?.failureUnit ?? 'bisect',
      retries: new Retries(node.options.retry ?? {}, random),
      ceiling: new RowCeiling(policy.maxSize, (rows, failedRows) => {
        batcher.ceiling = rows
        metrics.batchCeiling(node.step, rows)
        if (failedRows === undefined) logger.info({ step: node.step, rows }, 'trying larger batches again')
        else
          logger.warn(
            { step: node.step, rows, failedRows },
            'a batch was too large for the device, the model or its time: smaller ones from now on',
          )
      }),
      models: opened.laneModels.get(node)!,
      failures: points.ofStep(node, 'inference'),
      metrics,
      note,
      now: () => clock.now(),
      onReleased,
      onProgress,
    })
    const breaker = createBreaker({ name: node.step, clock, probe: () => step.probe() })
    breaker.onChange((state, cause) => {
      metrics.breakerState(node.step, state)
      if (state === 'open') onOutage(`breaker of step ${node.step}`, cause)
      if (state === 'closed') {
        onRecovered(`breaker of step ${node.step}`)
        // Nothing else may come that would make the dispatcher look: the partitions may all be paused by now.
        onClosed(step)
      }
    })
    return { step, breaker }
  })
}

function buildOutbox(
  topology: Topology,
  { clock, onFatal }: AssembleParts,
  writer: KafkaWriter,
  points: FailurePoints,
  outputs: Outputs,
  member: Pick<GroupMember, 'alive'>,
  onAcknowledged: Pipeline['acknowledged'],
): Outbox {
  const builder = new UnitBuilder({
    provenance: topology.provenance,
    wallTime: () => clock.wallTime(),
    encodeFailure: (work, row, failure, maxBytes) =>
      encodeFailure(topology.applicationId, clock.wallTime(), work, row, failure, maxBytes),
  })
  return new Outbox({
    builder,
    outputs,
    writer,
    member,
    clock,
    refusedPoint: sink => points.ofSink(topology.sinks[sink]!),
    onAcknowledged,
    onFatal,
  })
}

/** Replay topics take the way of their source. */
function sourceOfTopic(
  topology: Topology,
  graph: CompiledGraph,
  points: FailurePoints,
): (topic: string) => SourceOfTopic {
  const marks = new ReplayMarks(topology, graph.outlets, points)
  const sources = new Map<string, SourceOfTopic>()
  for (const node of topology.sources) {
    const source = {
      stage: graph.sources.get(node)!,
      between: node.writtenBy !== undefined,
      markOf: (headers: readonly Header[]) => marks.of(node, headers),
    }
    sources.set(node.topic, { ...source, replay: false })
    sources.set(replayTopic(topology.applicationId, node.topic), { ...source, replay: true })
  }
  return topic => {
    const source = sources.get(topic)
    if (source) return source
    throw new RunInferenceError('BUG', `records of topic ${topic} arrived, which no source of the topology reads`)
  }
}
