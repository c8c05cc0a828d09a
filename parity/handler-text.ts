/** Cases name their handler in words: `Keyed(mul:10 fail_on 2)`. This reads them. */
import { keyed, type ModelHandler, maybeKeyed } from 'kafka-run-inference'
import { type ArithOptions, arith } from './arith.ts'
import type { Recorder } from './recorder.ts'

export type AnyHandler = ModelHandler<never, unknown>

/** `more`: what a case says elsewhere. */
export function handlerOfText(text: string, recorder: Recorder, more: Partial<ArithOptions> = {}): AnyHandler {
  const wrapped = /^(Keyed|MaybeKeyed)\((.*)\)$/.exec(text)
  const inner = arith(recorder, { ...arithOfText(wrapped ? wrapped[2]! : text), ...more })
  if (!wrapped) return inner
  return wrapped[1] === 'Keyed' ? keyed(inner) : maybeKeyed(inner)
}

/** `mul:10 raw fail_on 2 model_id m_mul` and the like. */
export function arithOfText(text: string): ArithOptions {
  const words = text.split(/[\s,]+/)
  const [op, by] = (words[0] ?? '').split(':')
  if (op !== 'mul' && op !== 'add' && op !== 'echo') throw new Error(`no handler is called ${JSON.stringify(text)}`)
  const after = (word: string) => words[words.indexOf(word) + 1]
  return {
    op,
    ...(by === undefined ? {} : { by: Number(by) }),
    ...(words.includes('raw') ? { raw: true } : {}),
    ...(words.includes('lazy') ? { lazy: true } : {}),
    ...(words.includes('fail_on') ? { failOn: JSON.parse(after('fail_on')!) } : {}),
    ...(words.includes('model_id') ? { modelId: after('model_id')! } : {}),
  }
}
