/**
 * JSON Schema: values are checked as they stand, nothing is coerced or filled in. Drafts 7, 2019-09 and 2020-12, by
 * `$schema`; without one, draft 7, as schema registries take it. `format` is an annotation, as it is by default in the
 * specification, and is not checked. The only importer of ajv.
 */
import { createRequire } from 'node:module'
import type { Ajv, ErrorObject, Options } from 'ajv'
import { show } from '../problem.ts'
import type { RegisteredSchema } from './codec.ts'

/** What is wrong with a value: path, expected, got; undefined when nothing is. */
export type JsonCheck = (value: unknown) => string | undefined

/** Registries and generators put keywords of their own into schemas; an error shows the value, which is what was got. */
const OPTIONS: Options = { strict: false, validateFormats: false, verbose: true, logger: false }
const require = createRequire(import.meta.url)
/** Loaded with the first schema: most topologies have none, and each of their processes imports this file. */
const DRAFTS = {
  draft7: (): AjvClass => require('ajv').Ajv,
  'draft2019-09': (): AjvClass => require('ajv/dist/2019.js').Ajv2019,
  'draft2020-12': (): AjvClass => require('ajv/dist/2020.js').Ajv2020,
}
type AjvClass = new (options: Options) => Ajv
type Draft = keyof typeof DRAFTS

/** Of each draft that was met: what a schema of it must look like takes longer to compile than most schemas. */
const metaSchemas = new Map<Draft, Ajv>()

/** Compiles a schema (JSON text) with what it refers to. Throws when it is not one, or one that cannot be used. */
export function compileJsonSchema(schema: string, references: RegisteredSchema['references'] = []): JsonCheck {
  const parsed: unknown = JSON.parse(schema)
  const draft = draftOf(parsed)
  const ajv = open(draft, { ...OPTIONS, validateSchema: false })
  for (const reference of references) ajv.addSchema(requireSchema(JSON.parse(reference.schema), draft), reference.name)
  const validate = ajv.compile(requireSchema(parsed, draft))
  // Such a check answers with a promise, which nobody would look into: every value would fit.
  if ('$async' in validate) throw new Error('it has $async, with which values cannot be checked at once')
  // The last error is the one of the whole where alternatives failed one by one.
  return value => (validate(value) ? undefined : explain(validate.errors!.at(-1)!))
}

/** Throws where it is none of this draft. */
function requireSchema(parsed: unknown, draft: Draft): object {
  const known = metaSchemas.get(draft) ?? open(draft, OPTIONS)
  metaSchemas.set(draft, known)
  // What is no object at all is refused when it is compiled.
  if (typeof parsed === 'object' && parsed !== null) void known.validateSchema(parsed, true)
  return parsed as object
}

function open(draft: Draft, options: Options): Ajv {
  return new (DRAFTS[draft]())(options)
}

function draftOf(schema: unknown): Draft {
  const draft = typeof schema === 'object' && schema !== null && '$schema' in schema ? String(schema.$schema) : ''
  if (draft.includes('2020-12')) return 'draft2020-12'
  return draft.includes('2019-09') ? 'draft2019-09' : 'draft7'
}

function explain({ instancePath, message = 'be valid', params, data }: ErrorObject): string {
  const path = instancePath === '' ? '(the value itself)' : instancePath.slice(1).replaceAll('/', '.')
  const allowed = 'allowedValues' in params ? ` (${(params.allowedValues as unknown[]).map(show).join(', ')})` : ''
  const extra = 'additionalProperty' in params ? ` (${params.additionalProperty})` : ''
  return `field ${path}: expected to ${message.replace(/^must /, '')}${allowed}${extra}, got ${show(data)}`
}
