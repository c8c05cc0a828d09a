/** Decimals of Avro: the digits as one whole number, in as few bytes of two's complement as they take, or in `size` bytes. */
export interface DecimalForm {
  readonly precision: number
  /** Digits behind the point. */
  readonly scale: number
  /** Undefined: as many bytes as are needed. */
  readonly size: number | undefined
}

const TEXT = /^(-?)(\d+)(?:\.(\d+))?$/

/** The form that a schema declares; throws for one that the specification says to ignore. */
export function decimalForm(schema: Readonly<Record<string, unknown>>): DecimalForm {
  const { precision, scale = 0, size } = schema
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
  if (!isCount(precision) || precision === 0 || !isCount(scale) || scale > precision) throw new Error('not a decimal')
  return { precision, scale, size: typeof size === 'number' ? size : undefined }
}

/** `12.30`, always with all digits of the scale. */
export function decimalText(bytes: Buffer, { precision, scale, size }: DecimalForm): string {
  // A decimal digit takes less than half a byte: more bytes than the schema asks for are refused before they are turned
  // into a number.
  if (bytes.length === 0 || bytes.length > (size ?? precision / 2 + 16))
    throw new Error(`a decimal of ${bytes.length} bytes`)
  const unscaled = BigInt.asIntN(8 * bytes.length, BigInt(`0x${bytes.toString('hex')}`))
  const digits = String(unscaled < 0n ? -unscaled : unscaled)
  if (digits.length > precision) throw new Error(`a decimal of more than ${precision} digits`)
  const padded = digits.padStart(scale + 1, '0')
  const point = padded.length - scale
  const text = scale === 0 ? padded : `${padded.slice(0, point)}.${padded.slice(point)}`
  return unscaled < 0n ? `-${text}` : text
}

export function decimalBytes(text: string, { precision, scale, size }: DecimalForm): Buffer {
  const [, sign, whole, fraction = ''] = TEXT.exec(text) ?? []
  if (whole === undefined || fraction.length > scale) throw new Error(`not a decimal with ${scale} decimals: ${text}`)
  const digits = BigInt(whole + fraction.padEnd(scale, '0'))
  if (String(digits).length > precision) throw new Error(`more than ${precision} digits: ${text}`)
  const unscaled = sign === '-' ? -digits : digits
  // One bit more than the number has: the sign.
  const bits = (unscaled < 0n ? -unscaled - 1n : unscaled).toString(2).length + 1
  const bytes = size ?? Math.ceil(bits / 8)
  if (bits > 8 * bytes) throw new Error(`does not fit into ${bytes} bytes: ${text}`)
  return Buffer.from(
    BigInt.asUintN(8 * bytes, unscaled)
      .toString(16)
      .padStart(2 * bytes, '0'),
    'hex',
  )
}
