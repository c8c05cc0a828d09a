/** Runs Checker.java, the Java client, and gives each record that it reads. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { delimiter } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { installKafka } from '../src/cluster/install.ts'
import { clusterEnvironment } from '../src/settings.ts'
import type { SeenRecord } from './hop.ts'

interface Line {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [string, string | null])[]
}

interface End {
  readonly end: number
  readonly undecided: readonly string[]
}

const checker = fileURLToPath(new URL('./Checker.java', import.meta.url))

/**
 * Resolves with the partitions in which a transaction stays open, so that what stands behind it cannot be read. Rejects when
 * it could not read all that can be.
 */
export async function readBack(
  brokers: readonly string[],
  topics: readonly string[],
  onRecord: (record: SeenRecord) => void,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { java, ...environment } = clusterEnvironment()
  const { classPath } = await installKafka({ ...environment, java, onProgress: () => {} })
  const child = spawn(
    java,
    // The jars bring a logger, which is to say nothing but errors.
    ['-Xmx256m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', classPath.join(delimiter), checker].concat(
      brokers.join(),
      topics,
    ),
    { stdio: ['ignore', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' },
  )
  let log = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    log += text
  })
  const ended = once(child, 'close')
  // It is waited for below, when all lines were read.
  ended.catch(() => {})
  let last: End | undefined
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as Line | End
    if ('end' in line) last = line
    else onRecord(recordOf(line))
  }
  const [code] = await ended
  if (code !== 0 || last?.end !== topics.length)
    throw new Error(`the checker ended (exit code ${code}) before it had read all:\n${log}`)
  return last.undecided
}

function recordOf({ topic, partition, offset, timestamp, key, value, headers }: Line): SeenRecord {
  return {
    ...{ topic, partition, offset, timestamp, key: bytesOf(key), value: bytesOf(value) },
    headers: headers.map(([name, of]) => [name, bytesOf(of)]),
  }
}

function bytesOf(text: string | null): Buffer | null {
  return text === null ? null : Buffer.from(text, 'base64')
}
