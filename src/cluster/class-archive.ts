/**
 * Java class archives: classes as they are in memory, so that the next start takes half as long. Written once per
 * installation and Java version by processes that are started for it, and asked to end when they are ready.
 */
import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'

/** Where the archive of a part is, or will be. */
export function archiveFile(installation: string, javaVersion: string): string {
  return join(installation, `classes-${javaVersion}.jsa`)
}

/** JVM arguments that use an archive: none while it is not there. */
export function useArchive(file: string): readonly string[] {
  return existsSync(file) ? [`-XX:SharedArchiveFile=${file}`] : []
}

/** JVM arguments that write it when the process ends by itself. */
export function writeArchive(file: string): readonly string[] {
  return [`-XX:ArchiveClassesAtExit=${unfinished(file)}`]
}

/** To be called when that process has ended. A Java that cannot write archives leaves none: all works without. */
export async function finishArchive(file: string): Promise<void> {
  await rename(unfinished(file), file).catch(() => {})
}

function unfinished(file: string): string {
  return `${file}.${process.pid}.partial`
}
