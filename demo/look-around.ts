/**
 * What `--keep` is for: an instance of `kri run` with its console, on the topics that the demo has filled. A few digits a second
 * go on coming, all of them good, so that there is something to see and the dead letters stay those that were found.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { openInput } from './course.ts'
import { inputRecord } from './input.ts'
import { type Kri, startKri } from './kri.ts'
import type { Parts } from './parts.ts'

const READY_BUDGET_MS = 60_000
const POLL_MS = 200
const PORTION_RECORDS = 20
const PORTION_EVERY_MS = 500
/** Of its log, told when it ends by itself. */
const MAX_LOG_CHARS = 4_000

/** Resolves when the demo is to end. */
export async function lookAround(parts: Parts): Promise<void> {
  const { cluster, screen, signal, resources, flags } = parts
  const step = screen.step('console')
  step.progress('kri run topologies/digits.ts')
  const token = randomBytes(12).toString('base64url')
  const instance = startKri(['run', 'topologies/digits.ts', '--http-port', '0', '--log-level', 'info'], resources, {
    KRI_BROKERS: cluster.brokers.join(),
    KRI_REGISTRY_URL: cluster.registryUrl!,
    KRI_CONSOLE_TOKEN: token,
  })
  const log = logOf(instance)
  const lost = instance.ended.then(code => {
    if (!signal.aborted) throw new Error(`kri run ended with ${code}:\n${log().slice(-MAX_LOG_CHARS)}`)
  })
  // It is also looked at below; ending in order is no loss.
  lost.catch(() => {})
  const url = await Promise.race([ready(log, signal), lost])
  if (url === undefined) return
  step.done(`${url}/console/`)
  screen.line(howToLook(`${url}/console/`, token, parts))
  await Promise.race([trickle(parts, flags.records), lost])
}

/** The address of its health endpoints once it is ready; undefined when the demo is to end before. */
async function ready(log: () => string, signal: AbortSignal): Promise<string | undefined> {
  const deadline = performance.now() + READY_BUDGET_MS
  while (!signal.aborted) {
    const url = /"url":"([^"]+)"/.exec(log())?.[1]
    if (url !== undefined && (await isReady(url))) return url
    if (performance.now() > deadline)
      throw new Error(`kri run is not ready after ${READY_BUDGET_MS / 1000} s:\n${log()}`)
    await delay(POLL_MS)
  }
  return undefined
}

async function isReady(url: string): Promise<boolean> {
  try {
    const { ok } = await fetch(new URL('/readyz', url))
    return ok
  } catch {
    // It does not listen yet.
    return false
  }
}

function logOf({ child }: Kri): () => string {
  let log = ''
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding('utf8').on('data', (text: string) => {
      // The address comes first, the reason of an end last.
      log =
        log.length < 4 * MAX_LOG_CHARS
          ? log + text
          : log.slice(0, 2 * MAX_LOG_CHARS) + (log + text).slice(-2 * MAX_LOG_CHARS)
    })
  return () => log
}

/** Good records alone, those behind the last one of the demo first. */
async function trickle(parts: Parts, records: number): Promise<void> {
  const { images, signal } = parts
  const write = await openInput(parts)
  for (let next = records; !signal.aborted; next += PORTION_RECORDS) {
    for (let number = next; number < next + PORTION_RECORDS && !signal.aborted; number++)
      if (inputRecord(images, number).bad === undefined) await write(number, number + 1)
    await delay(PORTION_EVERY_MS, undefined, { signal }).catch(() => {})
  }
}

function howToLook(address: string, token: string, { cluster }: Parts): string {
  const { brokers, registryUrl } = cluster
  return [
    '',
    `  Console       ${address}`,
    `  Token         ${token}   (asked for when something is to be changed)`,
    `  Commands      export KRI_BROKERS=${brokers.join(',')} KRI_REGISTRY_URL=${registryUrl}`,
    '                npm run kri -- dlq stats topologies/digits.ts',
    '',
    'A few digits a second go on coming. Ctrl-C ends all of it: the console, the instance, and what was started for them.',
    '',
  ].join('\n')
}
