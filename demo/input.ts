/**
 * The input of the demo as a function of the record's number: the digits again and again, a bad record in place of every
 * 97th. Each record carries its number in a header, so that what is read back can be judged without knowing what was sent.
 */
import type { RecordBlock } from '../src/kafka/record-block.ts'
import { BAD_RECORDS, type BadRecord } from './bad-records.ts'
import type { DigitImage } from './digit-images.ts'

/** Prime, and no divisor of the number of digits: every digit is replaced at some time, by every kind of bad record. */
const BAD_EVERY = 97
export const NUMBER_HEADER = 'demo-number'

export interface InputRecord {
  readonly image: DigitImage
  /** Undefined: a good record. */
  readonly bad: BadRecord | undefined
}

export function inputRecord(images: readonly DigitImage[], number: number): InputRecord {
  const isBad = number % BAD_EVERY === BAD_EVERY - 1
  return {
    image: images[number % images.length]!,
    bad: isBad ? BAD_RECORDS[Math.floor(number / BAD_EVERY) % BAD_RECORDS.length] : undefined,
  }
}

/** Numbers from this one on, without end, of good records whose image is of that kind; at least one image must be. */
export function* goodRecords(
  images: readonly DigitImage[],
  from: number,
  isWanted: (image: DigitImage) => boolean,
): Generator<number, never> {
  for (let number = from; ; number++) {
    const { image, bad } = inputRecord(images, number)
    if (bad === undefined && isWanted(image)) yield number
  }
}

/** Which record of the input this is; throws when the demo did not write it. */
export function inputNumber(block: RecordBlock, row: number): number {
  const header = block.headers(row).find(([name]) => name === NUMBER_HEADER)
  const text = header?.[1]?.toString() ?? ''
  if (/^\d+$/.test(text)) return Number(text)
  throw new Error(
    `${block.topic}/${block.partition}/${block.offset(row)} was not written by this demo: it has no header ${NUMBER_HEADER}`,
  )
}

export function badRecordsAmong(records: number): number {
  return Math.floor(records / BAD_EVERY)
}
