/** Names and subjects that follow from a topology. They are part of its interface: tools and people rely on them. */
import type { RecordField } from './codec.ts'

/** The stages that have a dead-letter topic. */
export type FailedStage = 'preprocess' | 'inference' | 'postprocess'
export const FAILED_STAGES: readonly FailedStage[] = ['preprocess', 'inference', 'postprocess']

/** `<topology>.<step>.failed-<stage>`; a topology without steps has `<topology>.failed-preprocess` alone. */
export function deadLetterTopic(topology: string, step: string | undefined, stage: FailedStage): string {
  return step === undefined ? `${topology}.failed-${stage}` : `${topology}.${step}.failed-${stage}`
}

/** Every dead-letter topic of a topology. */
export function deadLetterTopics(topology: string, steps: readonly string[]): readonly string[] {
  if (steps.length === 0) return [deadLetterTopic(topology, undefined, 'preprocess')]
  return steps.flatMap(step => FAILED_STAGES.map(stage => deadLetterTopic(topology, step, stage)))
}

/** Where records of a source are put to be processed again; private to the application. */
export function replayTopic(applicationId: string, source: string): string {
  return `${applicationId}.${source}.replay`
}

/** Dead letters that were replayed too often: for people, read by no part of the application. */
export function parkedTopic(topology: string): string {
  return `${topology}.parked`
}

/** What replays have done: one partition, kept. */
export function auditTopic(applicationId: string): string {
  return `${applicationId}.audit`
}

/** The group whose committed offsets are the progress of a run of a replay, and the transactional id that a run has. */
export function replayGroup(applicationId: string, run: string): string {
  return `${applicationId}.replay.${run}`
}

/** What is published about the models of an application: one partition, compacted; the key is the text of a slot. */
export function modelMetadataTopic(applicationId: string): string {
  return `${applicationId}.model-metadata`
}

/** What each instance says about its models: one partition, compacted; the key is the id of the instance. */
export function modelStatusTopic(applicationId: string): string {
  return `${applicationId}.model-status`
}

/** Both inferences of the rows that a model on trial was given too, and whether they differ. */
export function shadowTopic(topology: string, step: string): string {
  return `${topology}.${step}.shadow`
}

/** The subject of a topic's keys or values in the schema registry. */
export function subjectOf(topic: string, field: RecordField): string {
  return `${topic}-${field}`
}

/** What Kafka accepts as a topic name. */
export function isTopicName(name: string): boolean {
  return name.length <= 249 && name !== '.' && name !== '..' && /^[A-Za-z0-9._-]+$/.test(name)
}
