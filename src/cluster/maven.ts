/**
 * Artifacts from the user's own Maven repositories: `mvn` is run as the user would run it, so that settings, mirrors and
 * the local repository are honoured, and no host is named here.
 */
import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cannotStart } from './java.ts'

// An old version on purpose: newer ones read the parent of an artifact's POM even for one lone file, and the parent of
// apicurio-registry-app 3.0.9 was never published.
const DEPENDENCY_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:2.10'

export interface MavenFetch {
  readonly maven: string
  /** An existing folder for the POM and Maven's log. */
  readonly workFolder: string
  /** Where the files go. */
  readonly outputFolder: string
  readonly onProgress: (fetched: { readonly files: number; readonly megabytes: number }) => void
}

/** Copies artifacts (`group:artifact:version`) and all that they need at run time. */
export function fetchWithDependencies(artifacts: readonly string[], options: MavenFetch): Promise<void> {
  return runMaven([`${DEPENDENCY_PLUGIN}:copy-dependencies`, '-DincludeScope=runtime'], pom(artifacts), options)
}

/** Copies one file (`group:artifact:version:type:classifier`) and nothing that it depends on. */
export function fetchFile(artifact: string, options: MavenFetch): Promise<void> {
  return runMaven([`${DEPENDENCY_PLUGIN}:copy`, `-Dartifact=${artifact}`], pom([]), options)
}

function pom(artifacts: readonly string[]): string {
  const dependencies = artifacts.map(artifact => {
    const [group, name, version] = artifact.split(':')
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`
  })
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>local-cluster</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>${dependencies.join('\n')}</dependencies>
</project>
`
}

async function runMaven(goals: readonly string[], pomText: string, options: MavenFetch): Promise<void> {
  await mkdir(options.outputFolder, { recursive: true })
  const pomFile = join(options.workFolder, 'pom.xml')
  await writeFile(pomFile, pomText)
  const log = createWriteStream(join(options.workFolder, 'maven.log'))
  // Not in batch mode: only then does Maven tell how far a large file is.
  const args = ['-f', pomFile, '-Dstyle.color=never', ...goals, `-DoutputDirectory=${options.outputFolder}`]
  const child = spawn(options.maven, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  // Left alone it would go on fetching for minutes after this process was told to end.
  const end = () => void child.kill()
  process.once('exit', end)
  const seen = { files: 0, megabytes: 0 }
  const complaints: string[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    log.write(text)
    for (const line of text.split(/[\r\n]+/)) {
      if (line.startsWith('[ERROR]')) complaints.push(line.slice('[ERROR]'.length).trim())
      const moving = countLine(line, seen)
      options.onProgress({ files: seen.files, megabytes: seen.megabytes + moving })
    }
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log.write(text)
    complaints.push(text.trim())
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  }).finally(() => {
    process.off('exit', end)
    log.end()
  })
  if (code === 0) return
  const reason = complaints.find(line => line !== '') ?? `exit code ${code}`
  throw cannotStart(`Maven could not fetch what is needed ("${options.maven} ${args.join(' ')}"): ${reason}`)
}

/** Adds a finished download to `seen`; returns the megabytes of those that are on their way. */
function countLine(line: string, seen: { files: number; megabytes: number }): number {
  const done = /^Downloaded from .*\(([\d.]+) (k?B|MB) at/.exec(line)
  if (done !== null) {
    seen.files++
    seen.megabytes += megabytes(done[1]!, done[2]!)
  }
  let moving = 0
  if (line.startsWith('Progress'))
    for (const [, size, unit] of line.matchAll(/([\d.]+)(?:\/[\d.]+)? (k?B|MB)/g)) moving += megabytes(size!, unit!)
  return moving
}

function megabytes(size: string, unit: string): number {
  return Number(size) / (unit === 'MB' ? 1 : unit === 'kB' ? 1_000 : 1_000_000)
}
