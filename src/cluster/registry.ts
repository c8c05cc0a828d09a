import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ServiceSpec } from './service.ts'

export interface RegistryInstallation {
  readonly folder: string
  readonly jar: string
}

/** The Confluent-compatible API of an Apicurio Registry on this machine. */
export function registryUrl(port: number): string {
  return `http://127.0.0.1:${port}/apis/ccompat/v7`
}

export function registryService(
  port: number,
  runFolder: string,
  logFolder: string,
  registry: RegistryInstallation,
  java: string,
  jvmArgs: readonly string[],
): ServiceSpec {
  const home = join(runFolder, 'registry')
  mkdirSync(home, { recursive: true })
  const args = [
    // It serves a handful of requests: start quickly, stay small.
    '-Xmx256m',
    '-XX:TieredStopAtLevel=1',
    '-XX:+UseSerialGC',
    ...jvmArgs,
    '-Dquarkus.http.host=127.0.0.1',
    `-Dquarkus.http.port=${port}`,
    '-Dquarkus.http.access-log.enabled=false',
    // In a file and not in memory, and written at once (the default is half a second later): schema ids must be the same
    // after it was killed and started again.
    `-Dapicurio.datasource.url=jdbc:h2:file:${join(home, 'registry')};WRITE_DELAY=0`,
    '-jar',
    registry.jar,
  ]
  return { name: 'registry', command: java, args, cwd: home, logFile: join(logFolder, 'registry.log') }
}
