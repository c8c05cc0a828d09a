/** What may cross to a lane as it is: what both sides see alike. */

/** What is not plain in a value, and where; undefined when all of it is. */
export function notPlain(value: unknown, path: string): { readonly path: string; readonly got: string } | undefined {
  return search(value, path, [])
}

function search(value: unknown, path: string, above: readonly unknown[]): ReturnType<typeof notPlain> {
  if (typeof value === 'function' || typeof value === 'symbol') return { path, got: `a ${typeof value}` }
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof ArrayBuffer)
    return undefined
  if (above.includes(value)) return { path, got: 'an object that contains itself' }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null)
    return { path, got: `an object of class ${value.constructor.name}` }
  for (const [name, inner] of Object.entries(value)) {
    const found = search(inner, Array.isArray(value) ? `${path}[${name}]` : `${path}.${name}`, [...above, value])
    if (found) return found
  }
  return undefined
}
