/** Keyed elements: one model for all keys, and handlers that take both kinds. */
import { keyed, maybeKeyed } from 'kafka-run-inference'
import { arith } from '../arith.ts'
import { beamRun } from '../beam-run.ts'
import type { AnyHandler } from '../handler-text.ts'
import { Recorder } from '../recorder.ts'
import { errorOf } from '../shape.ts'
import { MUL_10 } from './basic.ts'
import { type CaseRun, inWords } from './pipeline.ts'
import { eachRun } from './runs.ts'

export const KEYED: Readonly<Record<string, CaseRun>> = {
  keyed_basic: inWords(),
  keyed_raw_results: inWords(),
  keyed_given_unkeyed: eachRun(() => inWords()),
  keyed_given_triples: inWords(),
  keyed_one_unkeyed_in_batch: inWords(),
  maybe_keyed_with_keys: inWords(),
  maybe_keyed_without_keys: inWords(),
  maybe_keyed_mixed_in_batch_keyed_first: inWords(),
  maybe_keyed_mixed_in_batch_unkeyed_first: inWords(),
  keyed_inner_with_fns_rejected: async () => {
    const same = (value: unknown) => value
    const inner = () => arith(new Recorder(), MUL_10)
    const pre = () => inner().withPreprocess(same) as never
    const post = () => inner().withPostprocess(same) as never
    return {
      keyed_pre: await construction(() => keyed(pre())),
      keyed_post: await construction(() => keyed(post())),
      maybe_pre: await construction(() => maybeKeyed(pre())),
      maybe_post: await construction(() => maybeKeyed(post())),
      per_key_pre: await construction(() => keyed([{ keys: ['k1'], handler: pre() }])),
      per_key_post: await construction(() => keyed([{ keys: ['k1'], handler: post() }])),
    }
  },
}

/** What Beam's constructor says at once is said here when the topology is made, at the latest when it is opened. */
export async function construction(handler: () => AnyHandler): Promise<unknown> {
  const { error, handler: made } = await beamRun({ input: [], handler })
  if (error === undefined) return { ok: true, value: made?.definition.cohorts.length }
  const { type, message } = errorOf(error) as { readonly type: string; readonly message: string }
  return { ok: false, type, message }
}
