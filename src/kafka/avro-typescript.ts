/** TypeScript for Avro schemas: what `avro<T>` gives and takes, as docs/codecs.md lists it. The engine of `kri types`. */
import { RunInferenceError } from '../errors.ts'
import { isKnownLogicalType } from './avro-logical-types.ts'
import { type AvroOptions, compileAvro } from './avro-types.ts'
import type { Type } from './avsc.ts'

export interface SchemaFile {
  /** For messages and comments, e.g. `digit.avsc`. */
  readonly file: string
  readonly schema: string
}

/** avsc's types as this module walks them. */
interface Shape {
  readonly typeName: string
  readonly name?: string
  readonly doc?: string
  readonly branchName?: string
  readonly fields?: readonly { readonly name: string; readonly type: Shape; readonly doc?: string }[]
  readonly symbols?: readonly string[]
  readonly itemsType?: Shape
  readonly valuesType?: Shape
  readonly types?: readonly Shape[]
  readonly underlyingType?: Shape
}

interface Declared {
  readonly file: string
  readonly fullName: string
  readonly text: string
}

const LINE_WIDTH = 120
const HEAD =
  "/** The records of this folder's Avro schemas. Made by `kri types`: change the schemas, and run it again. */\n"

const SCALARS: Readonly<Record<string, string>> = {
  null: 'null',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  'abstract:long': 'bigint',
  float: 'number',
  double: 'number',
  bytes: 'Buffer',
  fixed: 'Buffer',
  string: 'string',
}
/** A model's output is written as it stands. */
const TYPED_ARRAYS: Readonly<Record<string, string>> = { float: 'Float32Array', double: 'Float64Array' }

/**
 * A TypeScript module with an interface for every record and a type for every enum of the schemas. Throws TOPOLOGY_INVALID for
 * a schema that is none, and for two types of one name that differ.
 */
export function typesOf(schemas: readonly SchemaFile[], options: AvroOptions = {}): string {
  const declared = new Map<string, Declared>()
  for (const { file, schema } of schemas) collect(shapeOf(file, schema, options), file, declared)
  return [HEAD, ...[...declared.values()].map(({ text }) => text)].join('\n')
}

function shapeOf(file: string, schema: string, options: AvroOptions): Shape {
  try {
    return compileAvro(schema, options) satisfies Type as unknown as Shape
  } catch (error) {
    throw RunInferenceError.from(error, 'TOPOLOGY_INVALID', `${file} is not an Avro schema`)
  }
}

/** Declares the named types of a type, itself first. */
function collect(shape: Shape, file: string, declared: Map<string, Declared>): void {
  if ((shape.fields ?? shape.symbols) !== undefined && shape.name === undefined) {
    throw new RunInferenceError(
      'TOPOLOGY_INVALID',
      `${file} is not an Avro schema that kri types can use: a ${shape.typeName} in it has no name. Give it one: "name": …`,
    )
  }
  const text = shape.fields ? interfaceOf(shape, file) : shape.symbols ? enumOf(shape, file) : undefined
  if (text !== undefined) {
    const name = shortName(shape)
    const known = declared.get(name)
    if (known !== undefined) {
      if (known.fullName === shape.name && body(known.text) === body(text)) return
      throw new RunInferenceError(
        'TOPOLOGY_INVALID',
        `${known.file} (${known.fullName}) and ${file} (${shape.name}) declare different types named ${name}: rename one`,
      )
    }
    declared.set(name, { file, fullName: shape.name!, text })
  }
  const inner = [shape.itemsType, shape.valuesType, shape.underlyingType, ...(shape.types ?? [])]
  for (const type of [...inner, ...(shape.fields ?? []).map(field => field.type)]) {
    if (type !== undefined) collect(type, file, declared)
  }
}

/** Without the comment, which names the file. */
const body = (text: string) => text.slice(text.indexOf('export '))
const shortName = ({ name }: Shape) => name!.slice(name!.lastIndexOf('.') + 1)

function interfaceOf(shape: Shape, file: string): string {
  const fields = shape.fields!.map(({ name, type, doc }) => {
    const declaration = alternatives(`  ${name}: `, branches(type), '  ')
    return `${doc === undefined ? '' : comment(doc, '  ')}${declaration}\n`
  })
  return `${comment(`${file}: ${shape.doc ?? shape.name}`)}export interface ${shortName(shape)} {\n${fields.join('')}}\n`
}

function enumOf(shape: Shape, file: string): string {
  const symbols = shape.symbols!.map(symbol => `'${symbol}'`)
  return `${comment(`${file}: ${shape.doc ?? shape.name}`)}${alternatives(`export type ${shortName(shape)} = `, symbols, '')}\n`
}

/** The alternatives on one line, or one a line where that is too long. */
function alternatives(head: string, parts: readonly string[], indent: string): string {
  const line = head + parts.join(' | ')
  if (line.length <= LINE_WIDTH || parts.length === 1) return line
  return head.trimEnd() + parts.map(part => `\n${indent}  | ${part}`).join('')
}

function comment(text: string, indent = ''): string {
  const lines = text
    .replaceAll('*/', '*\\/')
    .trim()
    .split(/\s*\n\s*/)
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`
  return `${indent}/**\n${lines.map(line => `${indent} * ${line}`.trimEnd()).join('\n')}\n${indent} */\n`
}

const expressionOf = (shape: Shape) => branches(shape).join(' | ')

function branches(shape: Shape): readonly string[] {
  const { typeName, types = [] } = shape
  if (isKnownLogicalType(shape))
    return shape.typescript === undefined ? branches(shape.underlyingType) : [shape.typescript]
  if (shape.fields || shape.symbols) return [shortName(shape)]
  if (typeName === 'union:wrapped') return types.map(wrapped)
  if (shape.types) return [...new Set(types.flatMap(branches))]
  if (shape.itemsType) return arrays(shape.itemsType)
  if (shape.valuesType) return [`Record<string, ${expressionOf(shape.valuesType)}>`]
  return [SCALARS[typeName]!]
}

/** Where several branches of a union look alike, a value says which it is: `{ 'kri.Circle': … }`. */
function wrapped(branch: Shape): string {
  if (branch.typeName === 'null') return 'null'
  const name = branch.branchName!
  return `{ ${/^\w+$/.test(name) ? name : `'${name}'`}: ${expressionOf(branch)} }`
}

function arrays(items: Shape): readonly string[] {
  const parts = branches(items)
  const list = parts.length === 1 ? `${parts[0]}[]` : `(${parts.join(' | ')})[]`
  const typed = TYPED_ARRAYS[items.typeName]
  return typed === undefined ? [list] : [list, typed]
}
