/** A time that names no zone is in the reader's own, as those that the page shows: the server would take its own. */
export function inOwnZone(text: string): string {
  if (!/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?$/.test(text)) return text
  const date = new Date(text.length === 10 ? `${text}T00:00` : text.replace(' ', 'T'))
  return Number.isNaN(date.getTime()) ? text : date.toISOString()
}
