/** Any value as one that JSON can show: bytes in base64, typed arrays as arrays, 64-bit integers as text. */
export function showable(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return value
  if (Buffer.isBuffer(value)) return value.toString('base64')
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return Array.from(value as Uint8Array, showable)
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Map) return Object.fromEntries([...value].map(([name, entry]) => [name, showable(entry)]))
  if (Array.isArray(value)) return value.map(showable)
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, showable(entry)]))
}
