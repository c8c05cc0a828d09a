/** Stands where a secret would. */
export const MASK = '***'

/** Behind these a text may go on in which an address stands. */
const PUNCTUATION = `'()[],.;:!`

/** Addresses inside a text: user names and passwords masked, values of queries too (they may be signatures), and fragments. */
export function withoutCredentials(text: string): string {
  if (!text.includes('//')) return text
  return text
    .replaceAll(/\/\/[^/\s]*@/g, `//${MASK}@`)
    .replaceAll(/:\/\/[^\s?#"<>]*([?#][^\s"<>]*)?/g, (all: string, query?: string) => {
      if (query === undefined) return all
      let end = query.length
      while (end > 1 && PUNCTUATION.includes(query[end - 1]!)) end--
      return `${all.slice(0, all.length - query.length)}${maskedQuery(query.slice(0, end))}${query.slice(end)}`
    })
}

/** The id of a model as others may see it: an address is one to its end, whatever stands in it. */
export function shownModelId(modelId: string): string {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(modelId)?.[0]
  if (scheme === undefined) return withoutCredentials(modelId)
  const rest = modelId.slice(scheme.length)
  const end = rest.search(/[?#]/)
  const place = (end < 0 ? rest : rest.slice(0, end)).replace(/^[^/]*@/, `${MASK}@`)
  return `${scheme}${place}${end < 0 ? '' : maskedQuery(rest.slice(end))}`
}

/** For `JSON.stringify`: what leaves the process shows no credential of an address, wherever that stands. */
export function masking(name: string, value: unknown): unknown {
  if (typeof value !== 'string') return value
  return name === 'modelId' ? shownModelId(value) : withoutCredentials(value)
}

/** The same for a value that is not JSON yet: texts in lists and plain objects. Others are left as they are. */
export function masked(value: unknown, name = ''): unknown {
  if (typeof value !== 'object' || value === null) return masking(name, value)
  if (Array.isArray(value)) return value.map(each => masked(each, name))
  if (Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([field, each]) => [field, masked(each, field)]))
}

/** `?a=b&c#d` as `?a=***&***#***`: names stay, where they are names. */
function maskedQuery(text: string): string {
  const [query, ...fragment] = text.split('#')
  const parameters = query!.replace(/^\?/, '').split('&')
  const shown = parameters.map(each => {
    const equals = each.indexOf('=')
    return equals < 0 ? each && MASK : `${each.slice(0, equals + 1)}${MASK}`
  })
  return `${query!.startsWith('?') ? '?' : ''}${shown.join('&')}${fragment.length > 0 ? `#${MASK}` : ''}`
}
