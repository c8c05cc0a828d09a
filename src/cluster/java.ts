import { execFile } from 'node:child_process'
import { RunInferenceError } from '../errors.ts'

const MIN_JAVA = 17

/** How every "cannot be had" ends: what a reader can do about it. */
export const WAYS_OUT = `Ways out: (1) use a cluster that runs already: set KRI_BROKERS=host:port[,host:port] and \
KRI_REGISTRY_URL=http://host:port/apis/ccompat/v7 (any Confluent-compatible registry); (2) install Java ${MIN_JAVA} or newer and \
Maven, for example "apt-get install openjdk-17-jre-headless maven" or "brew install openjdk@17 maven", and set JAVA_HOME \
if several are installed; (3) start Docker's engine.`

/** The version text of the Java at hand, e.g. `17.0.15`; refuses what is missing or too old. */
export async function javaVersion(java: string): Promise<string> {
  const output = await versionOutput(java, ['-version'], 'Java')
  const version = /version "([^"]+)"/.exec(output)?.[1]
  // Before Java 9 versions began with `1.`
  const major = Number(version?.split('.')[version.startsWith('1.') ? 1 : 0])
  if (version === undefined || !(major >= MIN_JAVA)) {
    throw cannotStart(`Java ${MIN_JAVA} or newer is needed, and "${java} -version" answers: ${output.trim()}`)
  }
  return version
}

/** Refuses when Maven is missing. */
export async function requireMaven(maven: string): Promise<void> {
  await versionOutput(maven, ['--version'], 'Maven')
}

export function cannotStart(what: string, cause?: unknown): RunInferenceError {
  const message = `no local cluster can be started: ${what.replace(/[.\s]*$/, '')}. ${WAYS_OUT}`
  return new RunInferenceError('CLUSTER_UNAVAILABLE', message, { cause })
}

function versionOutput(command: string, args: readonly string[], title: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout + stderr)
      const tried = `"${command} ${args.join(' ')}"`
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
      const what = missing
        ? `was not found (tried ${tried})`
        : `does not work (${tried}: ${stderr.trim() || error.message})`
      reject(cannotStart(`${title} ${what}`, error))
    })
  })
}
