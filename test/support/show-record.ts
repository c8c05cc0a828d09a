import type { TestRecord } from './record-batches.ts'

/** The last header of this name, as text. */
export function header(record: TestRecord, name: string): string | undefined {
  return record.headers.findLast(([other]) => other === name)?.[1]?.toString()
}

export function sourceOf(record: TestRecord): string {
  return header(record, 'kri-source') ?? ''
}

/** One line that differs when anything of the record does. */
export function showRecord({ timestamp, key, value, headers }: TestRecord): string {
  const shown = headers.map(([name, data]) => `${name}=${data?.toString('hex') ?? 'null'}`)
  return `${timestamp} ${key?.toString('hex') ?? 'null'} ${value?.toString() ?? 'null'} ${shown.join(' ')}`
}
