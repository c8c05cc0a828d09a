/** The records of this folder's Avro schemas. Made by `kri types`: change the schemas, and run it again. */

/**
 * every-type.avsc: One field of every type.
 * Two lines, and the end of a comment: *\/
 */
export interface EveryType {
  nothing: null
  yes: boolean
  small: number
  /** Up to 2^53. */
  large: number
  single: number
  twice: number
  text: string
  raw: Buffer
  four: Buffer
  colour: Colour
  before: Colour
  maybe: null | string
  either: number | string | boolean
  figure: null | { 'kri.test.Circle': Circle } | { 'kri.shapes.Square': Square }
  floats: number[] | Float32Array
  doubles: number[] | Float64Array
  gaps: (null | number)[]
  counts: Record<string, number>
  next: null | EveryType
  day: string
  clock: string
  fineClock: string
  at: Date
  fineAt: string
  local: string
  fineLocal: string
  id: string
  price: string
  fixedPrice: string
  unknownUnit: number
  seen: null | Date
  size: Size
}

/** every-type.avsc: Of a light. */
export type Colour = 'RED' | 'GREEN'

/** every-type.avsc: kri.test.Circle */
export interface Circle {
  radius: number
}

/** every-type.avsc: kri.shapes.Square */
export interface Square {
  side: number
}

/** every-type.avsc: kri.test.Size */
export type Size =
  | 'EXTRA_EXTRA_SMALL'
  | 'EXTRA_SMALL'
  | 'SMALL'
  | 'MEDIUM'
  | 'LARGE'
  | 'EXTRA_LARGE'
  | 'EXTRA_EXTRA_LARGE'
