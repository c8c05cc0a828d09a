import * as names from '../kafka/headers.ts'
import type { WorkBlock } from './work-block.ts'

/** One of the headers of a row; undefined where there is none. */
export function headerOf(work: WorkBlock, row: number, name: string): string | undefined {
  const { block } = work
  if (block.headerCount(row) === 0) return undefined
  return block
    .headers(row)
    .findLast(([other]) => other === name)?.[1]
    ?.toString()
}

/**
 * Where a record was read first, `topic/partition/offset`: by its headers, if it comes from a topic that only this application
 * writes, else where it was read now.
 */
export function originOf(work: WorkBlock, row: number): string {
  const { block, flow } = work
  const position = `${block.topic}/${block.partition}/${block.offset(row)}`
  if (!flow.between && !flow.replay) return position
  const known = headerOf(work, row, names.KRI_ORIGIN)
  if (known !== undefined) return known
  return (flow.replay ? originalPosition(work, row) : undefined) ?? position
}

/** Where a replayed record was read when it failed; undefined when its headers do not say so. */
function originalPosition(work: WorkBlock, row: number): string | undefined {
  const parts = [names.KRI_ORIGINAL_TOPIC, names.KRI_ORIGINAL_PARTITION, names.KRI_ORIGINAL_OFFSET].map(name =>
    headerOf(work, row, name),
  )
  return parts.includes(undefined) ? undefined : parts.join('/')
}
