/**
 * Logical types of Avro: what their values are in functions, and which may be read as which. A type that is not in the
 * table is what it is made of.
 *
 * 1. Nothing is rounded: a value that has no place in the other form is refused, both ways.
 * 2. A value is never read in another unit than it was written in: microseconds are not milliseconds, and scales differ.
 *    This holds for raw values, too.
 */
import { decimalBytes, decimalForm, decimalText } from './avro-decimal.ts'
import { LogicalType, type RawType, type SchemaPart, type Tap } from './avsc.ts'
import { countOfTime, countOfTimestamp, dateText, daysOfDate, timestampText, timeText } from './iso-time.ts'

/** The two forms of a value: as functions see it, and as the type under it takes it (BigInts stand for longs). */
interface Conversion {
  /** What the type under it may be. */
  readonly under: readonly string[]
  /** What a value looks like, for messages. */
  readonly form: string
  /** TypeScript's name of it, for `kri types`. */
  readonly typescript: string
  /** What must be equal for values of one schema to be read with another; default: the name of the type. */
  readonly unit?: string
  readonly from: (value: never) => unknown
  readonly to: (value: never) => number | bigint | string | Buffer
}

type Long = number | bigint
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const text = (form: string) => ({ form: `text such as ${form}`, typescript: 'string' })

const time = (decimals: number, under: string): Conversion => ({
  under: [under],
  ...text(timeText(0n, decimals)),
  from: (count: Long) => timeText(BigInt(count), decimals),
  to: (value: string) => countOfTime(value, decimals),
})
const timestamp = (decimals: number, zone: '' | 'Z'): Conversion => ({
  under: ['long'],
  ...text(timestampText(0n, decimals) + zone),
  from: (count: Long) => timestampText(BigInt(count), decimals) + zone,
  to: (value: string) => countOfTimestamp(value, decimals, zone === 'Z'),
})

const CONVERSIONS: Readonly<Record<string, (schema: SchemaPart) => Conversion>> = {
  date: () => ({
    under: ['int'],
    ...text('2024-05-01'),
    from: (days: number) => dateText(days),
    to: (value: string) => daysOfDate(value),
  }),
  'time-millis': () => time(3, 'int'),
  'time-micros': () => time(6, 'long'),
  'timestamp-millis': () => ({
    under: ['long'],
    form: 'a Date',
    typescript: 'Date',
    from: (ms: Long) => validDate(new Date(Number(ms))),
    // Text is how a Date travels in JSON.
    to: (value: Date | string) =>
      typeof value === 'string' ? countOfTimestamp(value, 3, true) : BigInt(validDate(value).getTime()),
  }),
  'timestamp-micros': () => timestamp(6, 'Z'),
  'local-timestamp-millis': () => timestamp(3, ''),
  'local-timestamp-micros': () => timestamp(6, ''),
  uuid: () => ({ under: ['string'], ...text('a UUID'), from: validUuid, to: validUuid }),
  decimal: schema => {
    const decimal = decimalForm(schema)
    const { precision, scale } = decimal
    return {
      under: ['bytes', 'fixed'],
      ...text(decimalText(Buffer.of(0), decimal)),
      unit: `decimal(${precision}, ${scale})`,
      from: (bytes: Buffer) => decimalText(bytes, decimal),
      to: (value: string) => decimalBytes(value, decimal),
    }
  },
}

function validDate(value: Date): Date {
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) throw new Error('not a date')
  return value
}

function validUuid(value: string): string {
  if (!UUID.test(value)) throw new Error(`not a UUID: ${value}`)
  return value
}

/** What `kri types` and error messages know of a type in the table. */
export interface KnownLogicalType extends RawType {
  readonly underlyingType: RawType
  readonly unit: string
  /** Undefined for raw values, which are those of the type under it. */
  readonly typescript: string | undefined
  readonly form: string
}

export function isKnownLogicalType(type: object): type is KnownLogicalType {
  return 'unit' in type && 'underlyingType' in type
}

/**
 * The type of a schema with a logical type; undefined for one that is not in the table, or not as the specification has it,
 * which is to be taken for what is under it. `raw`: values stay what the type under it is.
 */
export function logicalType(schema: SchemaPart, options: unknown, raw: boolean): RawType | undefined {
  const conversion = conversionOf(schema)
  return conversion && new ConvertedType(schema, options, conversion, raw)
}

function conversionOf(schema: SchemaPart): Conversion | undefined {
  const name = String(schema.logicalType)
  try {
    const conversion = Object.hasOwn(CONVERSIONS, name) ? CONVERSIONS[name]!(schema) : undefined
    return conversion?.under.includes(String(schema.type)) ? conversion : undefined
  } catch {
    return undefined
  }
}

class ConvertedType extends LogicalType {
  readonly unit: string
  readonly typescript: string | undefined
  readonly form: string
  readonly #conversion: Conversion
  readonly #raw: boolean
  readonly #schema: SchemaPart

  constructor(schema: SchemaPart, options: unknown, conversion: Conversion, raw: boolean) {
    super(schema, options)
    this.unit = conversion.unit ?? String(schema.logicalType)
    this.typescript = raw ? undefined : conversion.typescript
    this.form = raw ? String(schema.type) : conversion.form
    this.#conversion = conversion
    this.#raw = raw
    this.#schema = schema
  }

  _fromValue(value: unknown): unknown {
    return this.#raw ? value : this.#conversion.from(value as never)
  }

  _toValue(value: unknown): unknown {
    if (this.#raw) return value
    if (this.typescript === 'string' && typeof value !== 'string') throw new Error('not a text')
    const under = this.#conversion.to(value as never)
    const takesBigInts = this.underlyingType.typeName.startsWith('abstract:')
    // A long beyond 2^53 is refused by the type under it, rounded or not.
    return typeof under === 'bigint' && !takesBigInts ? Number(under) : under
  }

  _update(resolver: { _read?: (tap: Tap) => unknown }, writer: RawType, options: unknown): void {
    const isLogical = isKnownLogicalType(writer)
    if (isLogical && writer.unit !== this.unit) throw new Error(`written as ${writer.unit}, read as ${this.unit}`)
    const from = this.underlyingType.createResolver(isLogical ? writer.underlyingType : writer, options)
    resolver._read = tap => this._fromValue(from._read(tap))
  }

  /** What else makes schemas different. */
  _export(schema: Record<string, unknown>): void {
    const { precision, scale } = this.#schema
    Object.assign(schema, { precision, scale })
  }
}
