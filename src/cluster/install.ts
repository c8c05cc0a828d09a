/** What a cluster is made of, fetched once into the cache folder. A folder of the cache is complete or not there. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { formattedStorage, type KafkaInstallation, storageToolArgs } from './broker.ts'
import { cannotStart, requireMaven } from './java.ts'
import { fetchFile, fetchWithDependencies } from './maven.ts'
import type { OnClusterProgress } from './progress.ts'
import type { RegistryInstallation } from './registry.ts'

export const KAFKA_VERSION = '4.3.1'
export const REGISTRY_VERSION = '3.0.9'

const STALE_AFTER_MS = 3_600_000

export interface InstallOptions {
  readonly cacheFolder: string
  readonly java: string
  readonly maven: string
  readonly onProgress: OnClusterProgress
}

export async function installKafka(options: InstallOptions): Promise<KafkaInstallation> {
  const folder = join(options.cacheFolder, `kafka-${KAFKA_VERSION}`)
  await once(folder, options, async staging => {
    const libs = join(staging, 'libs')
    // Kafka's own archive adds a logging backend, which is no dependency of its artifact.
    const artifacts = [`org.apache.kafka:kafka_2.13:${KAFKA_VERSION}`, 'org.slf4j:slf4j-simple:1.7.36']
    await fetchWithDependencies(artifacts, {
      maven: options.maven,
      workFolder: staging,
      outputFolder: libs,
      onProgress: fetching(options, `Apache Kafka ${KAFKA_VERSION}`),
    })
    options.onProgress({ phase: 'prepare', text: 'formatting an empty Kafka log' })
    const properties = join(staging, 'format.properties')
    const storage = formattedStorage(join(staging, 'storage'))
    await writeFile(properties, storage.properties)
    await run(options.java, storageToolArgs(await jars(libs), properties))
    await copyFile(storage.bootstrapCheckpoint, join(staging, 'bootstrap.checkpoint'))
  })
  return {
    folder,
    classPath: await jars(join(folder, 'libs')),
    bootstrapCheckpoint: join(folder, 'bootstrap.checkpoint'),
  }
}

export async function installRegistry(options: InstallOptions): Promise<RegistryInstallation> {
  const folder = join(options.cacheFolder, `apicurio-registry-${REGISTRY_VERSION}`)
  await once(folder, options, async staging => {
    await fetchFile(`io.apicurio:apicurio-registry-app:${REGISTRY_VERSION}:tar.gz:all`, {
      maven: options.maven,
      workFolder: staging,
      outputFolder: staging,
      onProgress: fetching(options, `Apicurio Registry ${REGISTRY_VERSION}`),
    })
    options.onProgress({ phase: 'prepare', text: 'unpacking Apicurio Registry' })
    const archive = join(staging, `apicurio-registry-app-${REGISTRY_VERSION}-all.tar.gz`)
    await run('tar', ['-xzf', archive, '-C', staging])
    await rm(archive)
  })
  return { folder, jar: join(folder, `apicurio-registry-app-${REGISTRY_VERSION}-runner.jar`) }
}

/** Fills the folder if it is not there. Two that do so at the same time both work; the later result is thrown away. */
async function once(folder: string, options: InstallOptions, fill: (staging: string) => Promise<void>): Promise<void> {
  if (existsSync(folder)) return
  await requireMaven(options.maven)
  await mkdir(options.cacheFolder, { recursive: true })
  await removeStale(options.cacheFolder)
  const staging = await mkdtemp(join(options.cacheFolder, 'partial-'))
  try {
    await fill(staging)
    await rename(staging, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

/** Removes what a killed process left half done. */
async function removeStale(cacheFolder: string): Promise<void> {
  for (const name of await readdir(cacheFolder)) {
    if (!name.startsWith('partial-')) continue
    const { mtimeMs } = await stat(join(cacheFolder, name))
    if (Date.now() - mtimeMs > STALE_AFTER_MS) await rm(join(cacheFolder, name), { recursive: true, force: true })
  }
}

async function jars(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder)
  return names
    .filter(name => name.endsWith('.jar'))
    .sort()
    .map(name => join(folder, name))
}

function fetching(options: InstallOptions, what: string): (fetched: { files: number; megabytes: number }) => void {
  const text = `fetching ${what} with Maven (once)`
  options.onProgress({ phase: 'fetch', text })
  return ({ files, megabytes }) =>
    options.onProgress({ phase: 'fetch', text: `${text}: ${files} files, ${megabytes.toFixed(0)} MB` })
}

async function run(command: string, args: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)(command, args)
  } catch (error) {
    throw cannotStart(error instanceof Error ? error.message : String(error), error)
  }
}
