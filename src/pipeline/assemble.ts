/** Builds the parts of a pipeline and connects them; `pipeline.ts` says what they do together. */
import { RunInferenceError } from '../errors.ts'
import type { StepNode } from '../graph.ts'
import type { GroupMember, MemberEvents } from '../kafka/port.ts'
import type { Header } from '../kafka/record-block.ts'
import { replayTopic } from '../kafka/topic-names.ts'
import type { ChangingSteps } from '../models/prepared-model.ts'
import { type ServedModel, servedModels } from '../models/served-models.ts'
import type { LiveRun } from '../refresh/live-run.ts'
import type { RunParts } from '../run-parts.ts'
import { rowCredits } from '../run-settings.ts'
import type { Topology } from '../topology.ts'
import { Admission } from './admission.ts'
import { buildDelivery } from './assemble-delivery.ts'
import { buildSteps, modelEvents } from './assemble-steps.ts'
import { type CompiledGraph, compile } from './compile.ts'
import { DeadLetterLog } from './dead-letter-log.ts'
import { Dispatcher } from './dispatcher.ts'
import { FailurePoints } from './failure-points.ts'
import { failurePolicy } from './failure-policy.ts'
import { FloodGuard } from './flood-guard.ts'
import { functionsInWorker } from './function-lanes.ts'
import { metricNames } from './metric-names.ts'
import { type OpenedGraph, openGraph } from './open-graph.ts'
import { Pipeline, type SourceOfTopic } from './pipeline.ts'
import { ReplayMarks } from './replay-marks.ts'
import { RunningFunctions } from './running-functions.ts'
import type { Outputs } from './unit-builder.ts'

export interface AssembleParts extends RunParts {
  readonly note: (what: string) => void
  readonly live: LiveRun | undefined
  /** The application is being stopped. */
  readonly signal: AbortSignal
  /** The member is made after the pipeline, since it calls it. */
  readonly member: () => GroupMember
  readonly onOutage: (what: string, error: unknown) => void
  readonly onRecovered: (what: string) => void
  readonly onFatal: (error: unknown) => void
  /** Too much fails: nothing new is taken in until `resume`. */
  readonly onHalted: (reason: RunInferenceError) => void
}

export interface Assembly {
  readonly pipeline: Pipeline
  /** Exactly-once: what a member has to wait for before partitions are assigned. */
  readonly beforeAssigned: MemberEvents['beforeAssigned']
  /** What runs where, now. */
  models(): readonly ServedModel[]
  /** By step: its models, which can be changed while it runs, and the signature of each that the graph was compiled with. */
  readonly changing: ChangingSteps
  /** Goes on after a halt. */
  resume(): void
  /** Closes the writers and stops timers; lanes belong to whoever made them. */
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
  const note = (what: string) => {
    functions.timer.begin()
    parts.note(what)
  }
  for (const node of topology.steps) {
    const { namespace, models } = metricNames(node)
    metrics.stepOpened(node.step, namespace, models)
  }
  const stepOf = (node: StepNode) => steps[topology.steps.indexOf(node)]!.step
  const eventsOf = (node: StepNode) =>
    modelEvents(node, parts, {
      refused: (cohort, reason) => stepOf(node).refuse(cohort, reason),
      changed: () => dispatcher.schedule(),
      switched: cohort => stepOf(node).modelSwitched(cohort),
      isWanted: version => stepOf(node).waitsFor(version),
    })
  const opened = await functions
    .open(topology)
    .then(() => openGraph({ ...parts, topology, writer, eventsOf }))
    .catch(async (error: unknown) => {
      await functions.close()
      await writer.close()
      throw error
    })
  const models = () => servedModels([...opened.models].map(([{ step }, set]) => [step, set.loaded()] as const))
  metrics.watchModels(models)
  const changing = changingSteps(opened)
  const guard = new FloodGuard({
    ...settings,
    clock,
    onTrip(reason) {
      metrics.halted(true)
      pipeline.halt()
      parts.onHalted(reason)
    },
  })
  const points = new FailurePoints(topology, parts.onFailure ? [parts.onFailure] : [], (step, stage, isAside) =>
    failurePolicy(step, stage, isAside, guard.meterOf(isAside ? undefined : step, stage), onFatal),
  )
  const graph = compile(topology, opened, points, {
    now: () => clock.now(),
    onStaged: () => dispatcher.schedule(),
    droppedBy(node, { step, stage, isAside }) {
      // Elsewhere it was counted before.
      const counts = stage === 'preprocess' && step !== '' && isAside !== true
      const meter = counts ? guard.meterOf(stepNamed(topology, step), stage) : undefined
      return work => {
        metrics.dropped(node, 1)
        meter?.passed(work, 1, 1)
      }
    },
    functions,
  })
  const steps = buildSteps(
    topology,
    graph,
    opened,
    points,
    guard,
    { ...parts, note },
    {
      onReleased: () => dispatcher.dispatchNow(),
      onProgress: works => pipeline.progressed(works),
      onPutBack: () => dispatcher.schedule(),
      onClosed: step => dispatcher.resume(step),
    },
  )
  const dispatcher = new Dispatcher({
    lanes: parts.executor.lanes,
    steps,
    clock,
    random,
    onOutage,
    onRecovered,
    onFatal,
    onQuiet: () => pipeline.noticeIdle(),
  })
  const whole = topology.whole ?? topology
  const outputs: Outputs = {
    outlets: graph.outlets.map(({ node, column }) => {
      const between = whole.sources.some(source => source.writtenBy === node)
      return { column, sink: topology.sinks.indexOf(node), target: opened.targets.get(node)!, between }
    }),
    deadLetters: opened.deadLetters,
  }
  const member: Omit<GroupMember, 'start' | 'stop' | 'heartbeatAgeMs' | 'memberIds'> = {
    commit: offsets => parts.member().commit(offsets),
    alive: topic => parts.member().alive(topic),
    pause: partition => parts.member().pause(partition),
    resume: partition => parts.member().resume(partition),
    restart: partition => parts.member().restart(partition),
  }
  const delivery = buildDelivery(topology, parts, writer, points, outputs, member, {
    onAcknowledged: unit => pipeline.acknowledged(unit),
    onQuiet: () => pipeline.noticeIdle(),
    isDraining: topic => pipeline.isDraining(topic),
    onOutage,
    onRecovered,
    onFatal,
  })
  const deadLetterLog = new DeadLetterLog(parts.logger, clock)
  const pipeline: Pipeline = new Pipeline({
    sourceOf: sourceOfTopic(topology, graph, points),
    outletCount: graph.outlets.length,
    admission: new Admission(
      { maxRows: rowCredits(settings), maxBytes: settings.maxInFlightBytes },
      flow => {
        member.pause(flow)
        delivery.paused(flow)
      },
      flow => member.resume(flow),
    ),
    dispatcher,
    guard,
    outbox: delivery.outbox,
    commits: delivery.commits,
    deadLetterLog,
    clock,
    random,
    metrics,
    note,
    functions,
    onOutage,
    onRecovered,
    onFatal,
  })
  const trials = steps.map(({ step, trials }) => [step.step, trials] as const)
  parts.live?.attach(changing, new Map(trials))
  parts.onModelsOpened?.(changing)
  return {
    pipeline,
    beforeAssigned: delivery.beforeAssigned,
    models,
    changing,
    resume() {
      guard.reset()
      metrics.halted(false)
      pipeline.resume()
    },
    async close() {
      const delivered = delivery.close()
      const shadowsEnded = Promise.all(steps.map(({ shadows }) => shadows.close()))
      dispatcher.close()
      for (const set of opened.models.values()) set.close()
      deadLetterLog.close()
      await functions.close()
      await delivered
      await shadowsEnded
      await writer.close()
    },
  }
}

function changingSteps({ models, signatures }: OpenedGraph): ChangingSteps {
  return new Map(Array.from(models, ([node, set]) => [node.step, { models: set, signatures: signatures.get(node)! }]))
}

function stepNamed({ steps, whole }: Topology, name: string): StepNode | undefined {
  return (whole?.steps ?? steps).find(({ step }) => step === name)
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
