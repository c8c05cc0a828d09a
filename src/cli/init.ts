import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { RunInferenceError } from '../errors.ts'
import { dependencySpec, isInstalled, packageFolder } from './init-dependency.ts'
import { installCommand, packageFile, projectFiles, readme, testFile, tsconfigFile } from './init-project.ts'
import { type InitCodec, schemaFiles, topologyFile } from './init-topology.ts'

const NAME = /^[a-z0-9][a-z0-9._-]{0,99}$/
const SAMPLE_RECORDS = 100

const buildSteps = isInstalled ? [] : [`npm run build --prefix ${packageFolder}`]

export interface InitFlags {
  readonly name?: string
  readonly codec: InitCodec
  readonly force?: boolean
  readonly json?: boolean
}

/** Writes a project. Throws SETTINGS_INVALID, before anything is written, when a file is in the way or the name is none. */
export async function init(folder: string | undefined, { name: given, codec, force, json }: InitFlags): Promise<void> {
  const target = resolve(folder ?? '.')
  const name = given ?? nameOf(target)
  if (!NAME.test(name)) {
    throw new RunInferenceError(
      'SETTINGS_INVALID',
      `--name: expected small letters, digits, ".", "_" and "-", beginning with a letter or digit, got "${name}"`,
    )
  }
  const files = await contents(target, name, codec)
  const inTheWay = [...files.keys()].filter(file => existsSync(join(target, file)))
  if (inTheWay.length > 0 && force !== true) {
    throw new RunInferenceError(
      'SETTINGS_INVALID',
      `${target} has ${inTheWay.join(', ')} already: choose another folder, or replace them with --force`,
    )
  }
  for (const [file, content] of files) {
    await mkdir(dirname(join(target, file)), { recursive: true })
    await writeFile(join(target, file), content)
  }
  const created = [...files.keys()].filter(file => !inTheWay.includes(file))
  if (json === true) console.log(JSON.stringify({ folder: target, name, codec, created, replaced: inTheWay }))
  else tell(target, created, inTheWay)
}

function tell(target: string, created: readonly string[], replaced: readonly string[]): void {
  for (const file of created) console.log(`created  ${file}`)
  for (const file of replaced) console.log(`replaced ${file}`)
  const below = relative('.', target)
  const where = below.startsWith('..') ? target : below
  const steps = [...buildSteps, ...(where === '' ? [] : [`cd ${where}`]), installCommand, 'npm test']
  console.log(`\nNext:\n  ${steps.join('\n  ')}\n\nREADME.md has the way to a running topology.`)
}

/** Every file of the new project. */
async function contents(target: string, name: string, codec: InitCodec): Promise<ReadonlyMap<string, string | Buffer>> {
  const ours = (file: string) =>
    readFile(join(packageFolder, file)).catch(error => {
      const remedy = 'kri init needs a clone of the project, or the package as npm installs it'
      throw RunInferenceError.from(error, 'SETTINGS_INVALID', `this kri lacks ${file} (an image?); ${remedy}`)
    })
  const { version } = JSON.parse((await ours('package.json')).toString()) as { version: string }
  const dependency = dependencySpec(target, version)
  const digits = (await ours('data/digits-test.ndjson')).toString().trim().split('\n').slice(0, SAMPLE_RECORDS)
  const pixels = (line: string) => JSON.stringify((JSON.parse(line) as { pixels: number[] }).pixels)
  const sample = codec === 'raw' ? digits.map(pixels) : digits
  const avro = codec === 'avro' ? ['digit', 'digit-prediction'].map(schema => `schemas/${schema}.avsc`) : []
  return new Map<string, string | Buffer>([
    ['package.json', packageFile(name, dependency)],
    ['tsconfig.json', tsconfigFile],
    ...projectFiles,
    [`topologies/${name}.ts`, topologyFile(name, codec)],
    [`test/${name}.test.ts`, testFile(name, codec)],
    ...(await Promise.all(avro.map(async file => [file, await ours(file)] as const))),
    ...schemaFiles(codec),
    ['models/digits.onnx', await ours('models/digits-mlp-v2.onnx')],
    ['data/digits.ndjson', `${sample.join('\n')}\n`],
    ['README.md', readme(name, codec, buildSteps)],
  ])
}

function nameOf(folder: string): string {
  return basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')
}
