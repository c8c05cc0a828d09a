/**
 * What `--keep` is for: an instance of `kri run` with its console, on the topics that the demo has filled, and a night shift to be
 * done. A model with a flaw is published, and a few digits a second go on coming: among the first of them some for which it fails,
 * which the model before it takes. All others are good, so the dead letters stay those that are to be found.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { openInput } from './course.ts'
import { isInky } from './digit-images.ts'
import { BETTER_MODEL, FLAWED_MODEL } from './digit-models.ts'
import { goodRecords } from './input.ts'
import { type Kri, startKri } from './kri.ts'
import type { Parts } from './parts.ts'
import { publish } from './publish.ts'

const READY_BUDGET_MS = 60_000
const POLL_MS = 200
const PORTION_RECORDS = 20
const PORTION_EVERY_MS = 500
/** One in each of the first portions: enough to be found, and then no more, whatever the visitor does. */
const INKY_RECORDS = 12
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
  await Promise.race([publishFlawed(parts), lost, once(signal, 'abort')])
  if (signal.aborted) return
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

async function publishFlawed({ cluster, screen, signal, resources }: Parts): Promise<void> {
  const step = screen.step('publish')
  step.progress(`${FLAWED_MODEL}: kri models publish --wait`)
  const { brokers } = cluster
  const reason = 'surer of itself the more ink there is'
  try {
    const { outcome, reason: why } = await publish({ brokers, modelId: FLAWED_MODEL, reason, resources })
    if (outcome !== 'current') throw new Error(`${FLAWED_MODEL} is ${outcome}: ${why ?? 'no reason given'}`)
  } catch (error) {
    // Ctrl-C ends the command as well.
    if (signal.aborted) return
    throw error
  }
  step.done(`${FLAWED_MODEL} serves, which has a flaw`)
}

/** Records behind the last one of the demo. */
async function trickle(parts: Parts, records: number): Promise<void> {
  const { images, signal } = parts
  const write = await openInput(parts)
  const inky = goodRecords(images, records, isInky)
  const others = goodRecords(images, records, image => !isInky(image))
  for (let portion = 0; !signal.aborted; portion++) {
    const numbers = [
      ...(portion < INKY_RECORDS ? [inky.next().value] : []),
      ...Array.from({ length: PORTION_RECORDS }, () => others.next().value),
    ]
    await Promise.all(numbers.map(number => write(number, number + 1)))
    await delay(PORTION_EVERY_MS, undefined, { signal }).catch(() => {})
  }
}

function howToLook(address: string, token: string, { cluster }: Parts): string {
  const { brokers, registryUrl } = cluster
  const poison = '--code INFERENCE_FAILED --open'
  return [
    '',
    `  Console       ${address}`,
    `  Token         ${token}   (asked for when something is to be changed)`,
    `  Night shift   ${FLAWED_MODEL} serves now, and fails for ${INKY_RECORDS} digits with much ink. Dead letters: find them`,
    `                (INFERENCE_FAILED). Models: publish ${BETTER_MODEL}, which can take them. Dead letters: replay`,
    '                them, and see the count of those that are open fall to zero. The same as commands, from this folder:',
    '',
    `  export KRI_BROKERS=${brokers.join(',')} KRI_REGISTRY_URL=${registryUrl}`,
    '  npm run kri -- dlq stats topologies/digits.ts --open',
    `  npm run kri -- models publish topologies/digits.ts ${BETTER_MODEL} --wait --reason "takes all the ink"`,
    `  npm run kri -- dlq replay topologies/digits.ts ${poison} --yes --reason "v2 takes them"`,
    `  npm run kri -- dlq stats topologies/digits.ts ${poison}`,
    '',
    'A few digits a second go on coming. Ctrl-C ends all of it: the console, the instance, and what was started for them.',
    '',
  ].join('\n')
}
