/** The models of the demo, under the ids by which predictions name them. */

/** Serves while nothing is published: the topology names it. */
export const FIRST_MODEL = 'models/digits-mlp-v1.onnx'
/** Is published in the middle of the run. */
export const BETTER_MODEL = 'models/digits-mlp-v2.onnx'
/** Knows five digits of ten: it has other outputs than the topology declares, and no instance may take it up. */
export const BAD_MODEL = 'models/digits-5class.onnx'
/** Is published with `--keep`, for somebody to mend: it fails for pictures with as much ink as this (make-flawed-model.ts). */
export const FLAWED_MODEL = 'models/digits-mlp-ink.onnx'
/** The sum of the pixels; three of the 540 held-out digits have as much. */
export const MOST_INK = 400

/** What each of the good ones says about the held-out digits, recorded when it was trained. */
export const RECORDED_RESULTS: ReadonlyMap<string, string> = new Map([
  [FIRST_MODEL, 'data/digits-mlp-v1.expected.ndjson'],
  [BETTER_MODEL, 'data/digits-mlp-v2.expected.ndjson'],
])
