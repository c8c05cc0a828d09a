/**
 * Every error that leaves this project answers "what happens next?": a code, the stage that it belongs to, and
 * whether trying again can help. `docs/errors.md` is checked against this table, both ways, by a test.
 */

import type { Problem } from './problem.ts'

/** Where a record can fail (these three have dead-letter topics) or where the application can. */
export type Stage = 'preprocess' | 'inference' | 'postprocess' | 'application'

interface CodeEntry {
  readonly stage: Stage
  /** True: an outage; pause, back off, try again (I10). False: trying again gives the same error. */
  readonly retriable: boolean
  readonly meaning: string
}

/** The table of codes. A dead letter's `kri-code` is one of those whose stage is not `application`. */
export const ERROR_CODES = {
  DECODE_MALFORMED: entry('preprocess', 'The bytes are not what the codec of the source topic expects.'),
  DECODE_MAGIC_BYTE: entry('preprocess', 'The value does not begin with the magic byte 0 and a schema id.'),
  DECODE_UNKNOWN_SCHEMA: entry('preprocess', 'The schema registry does not know the schema id of this value.'),
  DECODE_SCHEMA: entry(
    'preprocess',
    'The value was written with a schema that cannot be read as the one of the project, or does not fit its schema.',
  ),
  DECODE_SIZE: entry('preprocess', 'A raw tensor row has another number of bytes than its declared shape needs.'),
  TOMBSTONE: entry('preprocess', 'The value is null, and the source says that tombstones are dead letters.'),
  KEY_MISSING: entry('preprocess', 'The key is null where the source or a keyed handler needs one.'),
  FUNCTION_THREW: entry('preprocess', 'A function before a step (map, filter, keyBy or a preprocess function) threw.'),
  FUNCTION_TIMEOUT: entry('preprocess', 'A function around a step took longer than its timeout.'),
  FUNCTION_LOST: entry('preprocess', 'A function around a step ended the worker that ran it.'),
  FAN_OUT: entry('preprocess', 'A flatMap gave more elements than its maxFanOut.'),
  REPLAY_DIVERGED: entry('preprocess', 'A replayed record does not reach the step any more whose dead letter it was.'),
  KEY_UNKNOWN: entry('inference', 'The key belongs to no mapping of the per-key handler.'),
  MODEL_LOAD_FAILED: entry('inference', 'The model of this key cannot be loaded.'),
  NOT_CLONEABLE: entry('inference', 'An example or a result cannot be copied between threads.'),
  RESULT_TOO_LARGE: entry('inference', 'A result is too large to leave its lane.'),
  SHAPE_MISMATCH: entry('inference', 'A tensor has another shape or type than the model takes.'),
  INFERENCE_FAILED: entry(
    'inference',
    'The model refuses this row when it runs alone, or all rows of a batch that fails as a whole, and accepts its control batch.',
  ),
  RESULT_COUNT: entry('inference', 'The model returned another number of results than it was given rows.'),
  DEVICE_MEMORY: entry('inference', 'This row alone needs more memory than the device has.'),
  TIMEOUT: entry('inference', 'Inference of this row alone took longer than timeoutMs.'),
  WORKER_LOST: entry('inference', 'Inference of this row alone ended the thread or process that ran it.'),
  POSTPROCESS_THREW: entry('postprocess', 'A function after a step threw.'),
  ENCODE_SCHEMA: entry('postprocess', 'A result does not fit the schema or type of its output topic.'),
  KEY_CHANGED: entry('postprocess', 'A function changed the key of a record; only repartition may do that.'),
  OUTPUT_TOO_LARGE: entry('postprocess', 'The encoded output is larger than its topic accepts.'),
  OUTPUT_REFUSED: entry('postprocess', 'The broker refuses this one record for what it holds.'),
  TOPOLOGY_INVALID: entry('application', 'The topology has problems; all of them are listed.'),
  SETTINGS_INVALID: entry('application', 'A setting or parameter is missing or out of range; all of them are listed.'),
  TOPIC_MISSING: entry('application', 'A topic that the topology needs does not exist.'),
  TOPIC_POLICY: entry('application', 'A topic exists with settings under which records would be lost.'),
  AUTHORISATION: entry(
    'application',
    'The broker or the registry refuses these credentials for this operation, or one side the certificate of the other.',
  ),
  OFFSET_OUT_OF_RANGE: entry(
    'application',
    'The committed offset is no longer, or not yet, in the log; skipping is refused.',
  ),
  RECORDS_UNREADABLE: entry(
    'application',
    'A record batch does not match its checksum or format, or is older than Kafka 0.11 (message format 0 or 1).',
  ),
  BROKER_UNAVAILABLE: outage('No broker answers, or its answer says to try again.'),
  BROKER_REFUSED: entry('application', 'The broker refuses a request for a reason that trying again does not mend.'),
  REGISTRY_UNAVAILABLE: outage(
    "The schema registry does not answer, or something else does in its place (a 404 that is not the registry's).",
  ),
  REGISTRY_REFUSED: entry('application', 'The schema registry answers that it cannot do what was asked.'),
  MODEL_UNUSABLE: entry(
    'application',
    'The model file is missing, not allowed, not the published one, corrupt, unsupported, or has another signature than declared.',
  ),
  METADATA_INVALID: entry(
    'application',
    'A record of the model-metadata topic cannot be read, or what is asked for does not fit what is published.',
  ),
  AUDIT_INVALID: entry('application', 'A record of the audit of replays cannot be read.'),
  REPLAY_REFUSED: entry('application', 'A replay is not what may be run, or not now; nothing was written.'),
  REPLAY_FORGOTTEN: entry(
    'application',
    'How far a replay came is not known any more: brokers have forgotten what its group had committed.',
  ),
  RESOURCES_MISSING: entry('application', 'The machine lacks memory or an accelerator that resource hints ask for.'),
  MODEL_OUTAGE: outage(
    'The control batch, known to be good, fails on this lane; or a model cannot be fetched for now.',
  ),
  MODEL_TRANSIENT: outage('The handler says of an error that trying again can mend it.'),
  UNHANDLED: entry('application', 'An error was thrown that exceptionHandling.only leaves out.'),
  TOO_MANY_DEAD_LETTERS: entry('application', 'More dead letters than the flood guard or a threshold allows; halted.'),
  LANE_LOST: outage('The worker that runs the models ended, again and again or while it loaded a model.'),
  LANE_STUCK: entry('application', 'A worker has been inside native code for longer than stuckMs.'),
  CRASH_LOOP: entry('application', 'A worker process of kri run --workers cannot be kept running.'),
  PARTITION_LOST: outage('The partition belongs to another member by now; its work was dropped.'),
  TRANSACTION_LOST: outage(
    'How a transaction ended is not known, or the broker ended it; what is not committed is read and processed again.',
  ),
  TRANSACTION_FENCED: outage(
    'Another instance has taken the transactional id of this partition over; what was not committed here is dropped.',
  ),
  STALLED: entry('application', 'A main loop of this process has stopped advancing.'),
  CLOSED: entry('application', 'The object was closed.'),
  INSTANCE_UNAVAILABLE: entry('application', 'No instance answers at the address of its health and metrics.'),
  CONSOLE_REFUSED: entry('application', 'The console does not answer this request: host, origin, token or address.'),
  CONSOLE_BUSY: outage('The console does as much as it may at one time.'),
  CLUSTER_UNAVAILABLE: entry('application', 'No local cluster can be started on this machine.'),
  BUG: entry('application', 'An invariant of this project does not hold; please report it.'),
} as const satisfies Record<string, CodeEntry>

/** A code of the table. */
export type ErrorCode = keyof typeof ERROR_CODES

function entry(stage: Stage, meaning: string): CodeEntry {
  return { stage, retriable: false, meaning }
}

function outage(meaning: string): CodeEntry {
  return { stage: 'application', retriable: true, meaning }
}

/** The one error class: the message begins with its code, and says what, where, expected, got and what to do next. */
export class RunInferenceError extends Error {
  readonly code: ErrorCode
  /** What the message is made of, where it names several problems. */
  readonly problems: readonly Problem[]
  /** Names of the classes of what a function or handler threw, its own first; empty where nobody threw. */
  readonly errorTypes: readonly string[]

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(`[${code}] ${message}`, options)
    this.name = 'RunInferenceError'
    this.code = code
    this.problems = options.problems ?? []
    this.errorTypes = options.errorTypes ?? []
  }

  get stage(): Stage {
    return ERROR_CODES[this.code].stage
  }

  get retriable(): boolean {
    return ERROR_CODES[this.code].retriable
  }

  /** Class of what was thrown, which may stand behind it; else its own. */
  get errorType(): string {
    return this.errorTypes[0] ?? readFrom(this.cause, 'name') ?? this.name
  }

  /** Stack of what was thrown, which may stand behind it; else its own. */
  get thrownStack(): string {
    return readFrom(this.cause, 'stack') ?? this.stack ?? ''
  }

  /** Anything that was caught, as one of ours; an error that is one already keeps its code. */
  static from(error: unknown, code: ErrorCode, context = ''): RunInferenceError {
    return isOurs(error) ? error : RunInferenceError.wrap(error, code, context)
  }

  /** Anything that others threw, under this code, also where they took one of our errors for it. */
  static wrap(error: unknown, code: ErrorCode, context = ''): RunInferenceError {
    const text = textOf(error)
    const errorTypes = isOurs(error) && error.errorTypes.length > 0 ? error.errorTypes : typesOf(error)
    return new RunInferenceError(code, context ? `${context}: ${text}` : text, { cause: error, errorTypes })
  }
}

interface ErrorOptions {
  readonly cause?: unknown
  readonly problems?: readonly Problem[]
  readonly errorTypes?: readonly string[]
}

/** Not every object lets itself be asked. */
function isOurs(error: unknown): error is RunInferenceError {
  try {
    return error instanceof RunInferenceError
  } catch {
    return false
  }
}

/** What was thrown may have hundreds of megabytes of text, and goes through threads, logs and records. */
const MAX_TEXT_CHARS = 16_000
const MAX_NAME_CHARS = 200

/** What a function threw may be anything: an object that has no text, or a message that is none, must not throw again. */
function textOf(error: unknown): string {
  try {
    return cut(String(error instanceof Error ? error.message : error), MAX_TEXT_CHARS)
  } catch {
    return `a thrown ${typeof error} that cannot be shown`
  }
}

/** The same care for a member of it; undefined where it has no such text. */
function readFrom(error: unknown, member: 'name' | 'stack'): string | undefined {
  try {
    const text: unknown = error instanceof Error ? error[member] : undefined
    return typeof text === 'string' ? cut(text, member === 'name' ? MAX_NAME_CHARS : MAX_TEXT_CHARS) : undefined
  } catch {
    return undefined
  }
}

function cut(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : `${text.slice(0, maxChars)}…`
}

/** The classes of what was thrown, by name; what is no object has its type for one. */
function typesOf(error: unknown): string[] {
  if (typeof error !== 'object' || error === null) return [error === null ? 'null' : typeof error]
  const names: string[] = []
  try {
    for (
      let at = Object.getPrototypeOf(error);
      at !== null && at !== Object.prototype;
      at = Object.getPrototypeOf(at)
    ) {
      const name: unknown = at.constructor?.name
      if (typeof name === 'string' && name !== '' && !names.includes(name)) names.push(name)
    }
    // An error may say its name without having a class of its own.
    if (error instanceof Error && typeof error.name === 'string' && !names.includes(error.name))
      names.unshift(error.name)
  } catch {
    // It does not let us look: what was found must do.
  }
  return names.length > 0 ? names.map(name => cut(name, MAX_NAME_CHARS)) : ['Object']
}

/** True when waiting and trying again can help. */
export function isRetriable(error: unknown): boolean {
  return error instanceof RunInferenceError && error.retriable
}
