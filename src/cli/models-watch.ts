import { isRetriable, RunInferenceError } from '../errors.ts'
import { sleep, systemClock } from '../ops/clock.ts'
import { matchingFiles } from '../refresh/matching-files.ts'
import { readMetadata } from '../refresh/metadata-log.ts'
import { modelNameOf, publication, WATCH_REASON, type WatchVerdict, watchVerdict } from '../refresh/publish-plan.ts'
import type { StepModels } from '../refresh/step-models.ts'
import { chosenSlot, type TopologySlot } from '../refresh/topology-slots.ts'
import { createFileWatch, type Look, type WatchedFile } from '../refresh/watch-files.ts'
import { type Change, write } from './models-change.ts'
import { requireFits } from './models-check.ts'
import { checkOf, metadataOf, openModel } from './models-file.ts'
import { actOf, type ModelsFlags, type ModelsSession, withModels } from './models-session.ts'
import { say, sayJson, slotArguments } from './models-text.ts'

const EVERY_SECONDS = 5

export interface WatchFlags extends ModelsFlags {
  readonly upload?: string
  readonly check: boolean
  /** Seconds. */
  readonly every?: number
  readonly once?: boolean
  readonly by?: string
}

/** What a look has come to. */
type WatchEvent =
  | { readonly event: 'nothing' }
  | {
      readonly event: 'waiting' | 'current' | 'decided'
      readonly file: string
      readonly state?: StepModels | undefined
    }
  | {
      readonly event: 'published'
      readonly file: string
      readonly offset: number
      readonly state: StepModels | undefined
    }
  | { readonly event: 'refused'; readonly file: string; readonly reason: string }
  /** It is tried again. */
  | { readonly event: 'trouble'; readonly reason: string }

/** Publishes the newest file of a pattern whenever there is another one, until Ctrl-C, or once. */
export async function watchModels(module: string, pattern: string, flags: WatchFlags): Promise<void> {
  await withModels(module, flags, async session => {
    const slot = chosenSlot(session.slots, flags, module)
    const watch = createFileWatch()
    const tell = teller(session, slot, pattern, flags.json === true)
    const everyMs = 1_000 * (flags.every ?? EVERY_SECONDS)
    const { signal } = session
    while (!signal.aborted) {
      const event = await next(session, slot, watch, pattern, flags)
      if (signal.aborted) return
      if (event) tell(event)
      const isDone = event !== undefined && ['published', 'current', 'decided', 'refused'].includes(event.event)
      if (flags.once === true && isDone) {
        if (event.event === 'refused') process.exitCode = 1
        return
      }
      await sleep(systemClock, everyMs, signal)
    }
  })
}

/** One look; undefined where there is nothing new. */
async function next(
  session: ModelsSession,
  slot: TopologySlot,
  watch: ReturnType<typeof createFileWatch>,
  pattern: string,
  flags: WatchFlags,
): Promise<WatchEvent | undefined> {
  let look: Look
  try {
    look = watch.look(await matchingFiles(pattern))
  } catch (error) {
    // A folder that is being made anew, or a share that is gone for a while.
    return { event: 'trouble', reason: `looking for ${pattern}: ${(error as Error).message}` }
  }
  if (look.kind === 'nothing') return { event: 'nothing' }
  if (look.kind === 'unstable') return { event: 'waiting', file: look.file.path }
  if (look.kind === 'known') return undefined
  try {
    return await deal(session, slot, look.file, pattern, flags)
  } catch (error) {
    const { message } = RunInferenceError.from(error, 'BUG')
    if (session.signal.aborted) return undefined
    if (isRetriable(error)) {
      watch.again(look.file)
      return { event: 'trouble', reason: message }
    }
    // What is wrong with the file stays so until it changes; anything else ends the watch.
    if (error instanceof RunInferenceError && error.code === 'MODEL_UNUSABLE')
      return { event: 'refused', file: look.file.path, reason: message }
    throw error
  }
}

async function deal(
  session: ModelsSession,
  slot: TopologySlot,
  { path: file, arrivedMs }: WatchedFile,
  pattern: string,
  flags: WatchFlags,
): Promise<WatchEvent> {
  const { port, metadataTopic, signal } = session
  const opened = await openModel(session, slot, file, flags.upload)
  try {
    if (opened.fetched === undefined) throw noFiles(slot)
    const arrived = { sha256: opened.fetched.sha256, arrivedMs }
    const now = (await readMetadata(port, metadataTopic, signal)).slots.get(slot.text)?.state
    const verdict = watchVerdict(now, arrived)
    if (verdict !== 'publish') return { event: verdict, file, state: now }
    const model = metadataOf(opened, modelNameOf(file))
    if (flags.check) requireFits(model, await checkOf(session, slot, opened, model, now?.stable))
    await opened.place()
    const act = { ...actOf(flags), reason: `${WATCH_REASON}${pattern}` }
    // Somebody may have published meanwhile: then the question is asked again, of that.
    let decided: WatchVerdict = 'publish'
    let found: StepModels | undefined
    const change: Change | undefined = await write(session, slot, state => {
      found = state
      decided = watchVerdict(state, arrived)
      return decided === 'publish' ? publication(state, model, undefined, act) : undefined
    })
    if (change) return { event: 'published', file, offset: change.offset, state: change.state }
    return { event: decided as Exclude<WatchVerdict, 'publish'>, file, state: found }
  } finally {
    opened.fetched?.release()
  }
}

function noFiles({ step }: TopologySlot): RunInferenceError {
  const what = `the handler of step "${step}" takes a model id as a text, not a file, so there is nothing to watch`
  return new RunInferenceError(
    'SETTINGS_INVALID',
    `${what}. Publish ids with kri models publish, or set modelIsFile in the handler`,
  )
}

/** A line per event; of the same event in a row, one. */
function teller({ module }: ModelsSession, slot: TopologySlot, pattern: string, json: boolean) {
  let last = ''
  return (event: WatchEvent): void => {
    const key = JSON.stringify(event)
    if (key === last) return
    last = key
    const at = new Date(systemClock.wallTime()).toISOString()
    if (json) sayJson({ at, ...event })
    else say(`${at}  ${eventText(event, slotArguments(module, slot), pattern)}`)
  }
}

function eventText(event: WatchEvent, at: string, pattern: string): string {
  switch (event.event) {
    case 'nothing':
      return `no file matches ${pattern}: waiting for one`
    case 'waiting':
      return `${event.file}: waiting until it is no longer written`
    case 'current':
      return `${event.file}: is what is published (revision ${event.state?.revision})`
    case 'decided': {
      const { publishedBy, publishedAt, revision } = event.state!
      const then = `${publishedBy} published revision ${revision} (${publishedAt}) after it had come`
      return `${event.file}: not published, as ${then}. If it should be: kri models publish ${at}`
    }
    case 'published':
      return `${event.file}: published, revision ${event.state?.revision} (offset ${event.offset}). Back: kri models rollback ${at}`
    case 'refused':
      return `${event.file}: refused, and what is published stays: ${event.reason}`
    case 'trouble':
      return `tried again: ${event.reason}`
  }
}
