/** The recorded functions: they note what they are given, reject one marker, and leave their name on what they let pass. */
import { isKV, kv } from 'kafka-run-inference'
import { isPrediction } from './neutral.ts'
import { ValueError } from './python-errors.ts'
import type { Recorder } from './recorder.ts'

/** `p2 rejects F2`: a function p2 that throws where its text contains F2. */
export function functionOfText(text: string, recorder: Recorder): (element: unknown) => unknown {
  const [name, , marker] = text.split(' ')
  return element => {
    recorder.call(name!, element)
    return marked(name!, marker, element, recorder)
  }
}

function marked(name: string, marker: string | undefined, element: unknown, recorder: Recorder): unknown {
  if (isKV(element)) {
    // The recorded one calls itself for a prediction inside a pair, which is then noted too.
    if (!isPrediction(element.value)) return kv(element.key, marked(name, marker, element.value, recorder))
    recorder.call(name, element.value)
    return kv(element.key, marked(name, marker, element.value, recorder))
  }
  if (isPrediction(element)) return { ...element, inference: tagged(name, marker, element.inference) }
  return Array.isArray(element) ? element : tagged(name, marker, element)
}

function tagged(name: string, marker: string | undefined, value: unknown): string {
  const text = String(value)
  if (marker !== undefined && text.startsWith(marker)) throw new ValueError(`${name} rejects ${text}`)
  return `${text}>${name}`
}
