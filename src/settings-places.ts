/** Settings that name a place: what counts as one. */
import { locateModel } from './models/model-location.ts'

/** A folder, an address or a bucket beneath which models may be. */
export function isModelRoot(text: string): boolean {
  try {
    locateModel(text, true)
    return true
  } catch {
    return false
  }
}

/** `https://host`, with a port perhaps and nothing behind it. */
export function isOrigin(text: string): boolean {
  return isEndpoint(text) && new URL(text).pathname === '/'
}

/** An http or https URL without user, query and fragment. */
export function isEndpoint(text: string): boolean {
  if (!/^https?:\/\//i.test(text) || /[?#\s]/.test(text) || !URL.canParse(text)) return false
  const { username, password } = new URL(text)
  return username === '' && password === ''
}
