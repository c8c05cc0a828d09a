/** Apache Kafka and Apicurio Registry as Java processes, fetched with Maven. */
import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger } from '../ops/logger.ts'
import type { ClusterEnvironment } from '../settings.ts'
import type { BrokerProperties } from './broker.ts'
import { archiveFile, finishArchive, useArchive, writeArchive } from './class-archive.ts'
import { installKafka, installRegistry } from './install.ts'
import { javaVersion } from './java.ts'
import { type LocalCluster, startLocalCluster } from './local-cluster.ts'
import { newLogFolder } from './logs.ts'
import { type ClusterParts, describeParts, type PartsNeeded } from './parts.ts'
import type { OnClusterProgress } from './progress.ts'
import { RUN_FOLDER_PREFIX, sweepLeftovers } from './run-file.ts'

export interface JvmClusterOptions extends PartsNeeded {
  readonly environment: ClusterEnvironment
  readonly logger: Logger
  readonly onProgress: OnClusterProgress
  readonly brokerProperties: BrokerProperties | undefined
}

/** Fetches what is missing, and prepares quick starts, before it starts anything. */
export async function startJvmCluster(options: JvmClusterOptions): Promise<ClusterParts> {
  const { brokers, registry, environment, onProgress } = options
  const version = await javaVersion(environment.java)
  const install = { ...environment, onProgress }
  // One after the other: Maven's local repository is not made for two at a time.
  const kafka = brokers === 0 ? undefined : await installKafka(install)
  const apicurio = registry ? await installRegistry(install) : undefined
  sweepLeftovers()

  const archives = { broker: archiveOf(kafka, version), registry: archiveOf(apicurio, version) }
  const start = (count: 0 | 1 | 3, jvmArgs: (file: string | undefined) => readonly string[]): Promise<LocalCluster> => {
    const folder = mkdtempSync(join(tmpdir(), RUN_FOLDER_PREFIX))
    return startLocalCluster({
      kafka,
      registry: apicurio,
      brokers: count,
      folder,
      logFolder: newLogFolder(environment.cacheFolder, folder.slice(join(tmpdir(), RUN_FOLDER_PREFIX).length)),
      java: environment.java,
      jvmArgs: { broker: jvmArgs(archives.broker), registry: jvmArgs(archives.registry) },
      logger: options.logger,
      brokerProperties: options.brokerProperties,
    })
  }

  const missing = Object.values(archives).filter(file => file !== undefined && !existsSync(file)) as string[]
  if (missing.length > 0) {
    onProgress({ phase: 'prepare', text: 'preparing quick starts of the Java processes (once)' })
    const rehearsal = await start(brokers === 0 ? 0 : 1, file => (missing.includes(file!) ? writeArchive(file!) : []))
    await rehearsal.shutDown()
    await rehearsal.stop()
    await Promise.all(missing.map(finishArchive))
  }
  onProgress({ phase: 'start', text: `starting ${describeParts(options)}` })
  return start(brokers, file => (file === undefined ? [] : useArchive(file)))
}

function archiveOf(installation: { readonly folder: string } | undefined, version: string): string | undefined {
  return installation === undefined ? undefined : archiveFile(installation.folder, version)
}
