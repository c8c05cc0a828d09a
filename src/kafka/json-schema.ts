/**
 * JSON Schema: values are checked as they stand, nothing is coerced or filled in. Drafts 7, 2019-09 and 2020-12, by
 * `$schema`; without one, draft 7, as schema registries take it. `format` is an annotation, as it is by default in the
 * specification, and is not checked. The only importer of ajv.
 */
import { Ajv, type ErrorObject, type Options } from 'ajv'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { show } from '../problem.ts'
import type { RegisteredSchema } from './codec.ts'

/** What is wrong with a value: path, expected, got; undefined when nothing is. */
export type JsonCheck = (value: unknown) => string | undefined

/** Compiles a schema (JSON text) with what it refers to. Throws when it is not one, or one that cannot be used. */
export function compileJsonSchema(schema: string, references: RegisteredSchema['references'] = []): JsonCheck {
  const parsed: unknown = JSON.parse(schema)
  const ajv = validatorOf(parsed)
  for (const reference of references) ajv.addSchema(JSON.parse(reference.schema), reference.name)
  const validate = ajv.compile(parsed as object)
  // The last error is the one of the whole where alternatives failed one by one.
  return value => (validate(value) ? undefined : explain(validate.errors!.at(-1)!))
}

function validatorOf(schema: unknown): Ajv {
  // Registries and generators put keywords of their own into schemas; an error shows the value, which is what was got.
  const options: Options = { strict: false, validateFormats: false, verbose: true, logger: false }
  const draft = typeof schema === 'object' && schema !== null && '$schema' in schema ? String(schema.$schema) : ''
  if (draft.includes('2020-12')) return new Ajv2020(options) as unknown as Ajv
  if (draft.includes('2019-09')) return new Ajv2019(options) as unknown as Ajv
  return new Ajv(options)
}

function explain({ instancePath, message = 'be valid', params, data }: ErrorObject): string {
  const path = instancePath === '' ? '(the value itself)' : instancePath.slice(1).replaceAll('/', '.')
  const allowed = 'allowedValues' in params ? ` (${(params.allowedValues as unknown[]).map(show).join(', ')})` : ''
  const extra = 'additionalProperty' in params ? ` (${params.additionalProperty})` : ''
  return `field ${path}: expected to ${message.replace(/^must /, '')}${allowed}${extra}, got ${show(data)}`
}
