import { readFile } from 'node:fs/promises'
import { RunInferenceError } from '../errors.ts'
import type { SchemaType } from './codec.ts'

const EXTENSION: Readonly<Record<SchemaType, string>> = { AVRO: 'avsc', JSON: 'schema.json' }

/** `schemas/<name>.avsc` or `schemas/<name>.schema.json`, from the folder that the application is run in. */
export function schemaPath(name: string, type: SchemaType): string {
  return `schemas/${name}.${EXTENSION[type]}`
}

/** The text of a schema file of the project; TOPOLOGY_INVALID when it cannot be read. */
export async function readSchemaFile(name: string, type: SchemaType): Promise<string> {
  const path = schemaPath(name, type)
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw RunInferenceError.from(error, 'TOPOLOGY_INVALID', `A codec names the schema ${name}: cannot read ${path}`)
  }
}
