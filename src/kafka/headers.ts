/**
 * Names of the headers that this project writes. They are never carried over from a source record: a record that comes in
 * with one of them loses it, so that nobody can pretend a provenance (replay topics are the exception, and private).
 * Values are UTF-8 text; numbers are decimal.
 */

/** Headers that begin with this are ours. */
export const KRI_PREFIX = 'kri-'

/** On every output: `topic/partition/offset` of the source record. */
export const KRI_SOURCE = 'kri-source'

/**
 * Below a topic that the topology writes and reads again, and on its records: `topic/partition/offset` of the record that the
 * first part read.
 */
export const KRI_ORIGIN = 'kri-origin'

// On dead letters, which are the source record itself: key, value and headers byte for byte, and these.

/** Application id: the consumer group. */
export const KRI_APPLICATION = 'kri-application'
/** The step whose dead-letter topic this is; absent in a topology without steps. */
export const KRI_STEP = 'kri-step'
/** The node that failed, e.g. `map#2` or `step classify`. */
export const KRI_NODE = 'kri-node'
/** `preprocess`, `inference` or `postprocess`. */
export const KRI_STAGE = 'kri-stage'
/** Which function of its kind failed, in execution order, from 0. */
export const KRI_INDEX = 'kri-index'
/** A code of docs/errors.md. */
export const KRI_CODE = 'kri-code'
/** Name of the error's class. */
export const KRI_ERROR_TYPE = 'kri-error-type'
/** The error's message, cut to a bounded length. */
export const KRI_ERROR_MESSAGE = 'kri-error-message'
/** The error's stack, cut to a bounded length; the first to go when a dead letter is too large. */
export const KRI_ERROR_STACK = 'kri-error-stack'
/** Where the source record was read; through replays, where it was read first. */
export const KRI_ORIGINAL_TOPIC = 'kri-original-topic'
export const KRI_ORIGINAL_PARTITION = 'kri-original-partition'
export const KRI_ORIGINAL_OFFSET = 'kri-original-offset'
/** Milliseconds since 1970: the record's own time, since dead-letter topics stamp the time of arrival. */
export const KRI_ORIGINAL_TIMESTAMP = 'kri-original-timestamp'
/** The model in use when inference or a function behind it failed. */
export const KRI_MODEL_ID = 'kri-model-id'
/** How often the batch of this record was tried, from 1: one more for each retry. */
export const KRI_ATTEMPT = 'kri-attempt'
/** How many elements of the record failed there, where it was more than one (`flatMap`); the error is that of the first. */
export const KRI_FAILED_ELEMENTS = 'kri-failed-elements'
/** How often this record had been replayed before it failed: 0 the first time. */
export const KRI_REPLAY_COUNT = 'kri-replay-count'
/** On a dead letter that was replayed as somebody had edited it, and on those of it since: `topic/partition/offset` of the letter as it was. */
export const KRI_EDITED_FROM = 'kri-edited-from'
/** Milliseconds since 1970 at which it failed. */
export const KRI_FAILED_AT = 'kri-failed-at'
/** In place of a value that was too large to keep: its size in bytes and its SHA-256 in hexadecimal. */
export const KRI_VALUE_BYTES = 'kri-value-bytes'
export const KRI_VALUE_SHA256 = 'kri-value-sha256'
