import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RunInferenceError } from '../errors.ts'
import type { AvroOptions } from '../kafka/avro-types.ts'
import { typesOf } from '../kafka/avro-typescript.ts'

const SHOWN_LINES = 20

export interface TypesFlags extends AvroOptions {
  /** Folder of the schemas; default `schemas`. */
  readonly schemas?: string
  /** File of the types; default `types.ts` in that folder. */
  readonly out?: string
  /** Change nothing; exit code 1 when the file is not what would be written. */
  readonly check?: boolean
  readonly json?: boolean
}

/** Writes TypeScript for the Avro schemas of a folder, or checks that it is written. */
export async function types(flags: TypesFlags): Promise<void> {
  const folder = flags.schemas ?? 'schemas'
  const out = flags.out ?? join(folder, 'types.ts')
  const schemas = await schemaFiles(folder)
  const wanted = typesOf(schemas, flags)
  const found = await readFile(out, 'utf8').catch(() => undefined)
  const difference = differenceOf(found ?? '', wanted)
  const isEqual = found === wanted
  const isCheck = flags.check === true
  if (!isEqual && !isCheck) await writeFile(out, wanted)
  if (!isEqual && isCheck) process.exitCode = 1
  if (flags.json === true) {
    const files = schemas.map(({ file }) => file)
    console.log(JSON.stringify({ out, schemas: files, equal: isEqual, written: !isEqual && !isCheck, ...difference }))
    return
  }
  if (isEqual) console.log(`${out} is as the ${schemas.length} schemas in ${folder} say`)
  else if (!isCheck) console.log(`wrote ${out} from ${schemas.length} schemas in ${folder}`)
  else console.log(report(out, folder, found === undefined, difference))
}

async function schemaFiles(folder: string) {
  const names = await readdir(folder).catch(error => {
    throw RunInferenceError.from(error, 'SETTINGS_INVALID', `--schemas: cannot read the folder ${folder}`)
  })
  const files = names.filter(name => name.endsWith('.avsc')).sort()
  if (files.length === 0) throw new RunInferenceError('SETTINGS_INVALID', `--schemas: no .avsc files in ${folder}`)
  return Promise.all(files.map(async file => ({ file, schema: await readFile(join(folder, file), 'utf8') })))
}

interface Difference {
  /** Lines that are to go, and lines that are to come. */
  readonly removed: readonly string[]
  readonly added: readonly string[]
}

function differenceOf(found: string, wanted: string): Difference {
  return { removed: without(found, wanted), added: without(wanted, found) }
}

/** The lines of one text that the other has not, or not as often. */
function without(text: string, other: string): string[] {
  const rest = new Map<string, number>()
  for (const line of other.split('\n')) rest.set(line, (rest.get(line) ?? 0) + 1)
  return text.split('\n').filter(line => {
    const count = rest.get(line) ?? 0
    rest.set(line, count - 1)
    return count <= 0
  })
}

function report(out: string, folder: string, isMissing: boolean, { removed, added }: Difference): string {
  const head = `${out} is not what the schemas in ${folder} say: write it with kri types`
  if (isMissing) return `${head} (there is no such file)`
  const lines = [...removed.map(line => `- ${line}`), ...added.map(line => `+ ${line}`)]
  if (lines.length === 0) return `${head} (the same lines in another order)`
  const more = lines.length - SHOWN_LINES
  return [head, ...lines.slice(0, SHOWN_LINES), ...(more > 0 ? [`… and ${more} more lines`] : [])].join('\n')
}
