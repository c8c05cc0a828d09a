import { printable } from '../check/showable.ts'
import type { ReplayTarget } from '../dead-letters/replay-audit.ts'
import { newRunName, type ReplayWish } from '../dead-letters/replay-order.ts'
import type { ReplayParts } from '../dead-letters/replay-parts.ts'
import { planReplay, type ReplayPlan } from '../dead-letters/replay-plan.ts'
import { cancelReplay, type StartedReplay, startReplay } from '../dead-letters/replay-start.ts'
import { RunInferenceError } from '../errors.ts'
import { systemClock } from '../ops/clock.ts'
import { type CommandSession, unlessInterrupted, withSession } from './command-session.ts'
import { type SelectionFlags, selectionOf } from './dlq-flags.ts'
import { countsText, goesOnWith, listsOpen, planText, runsWith } from './dlq-replay-text.ts'
import { sayUnreadable } from './dlq-session.ts'
import { placeOf } from './dlq-text.ts'
import { actOf } from './models-session.ts'

const SHOWN_LOST = 20
/** Of progress: what counts are made of. */
const NOT_SHOWN = { tallies: undefined, untold: undefined, filled: undefined, isCommitted: undefined }

export interface ReplayFlags extends SelectionFlags {
  readonly name?: string
  readonly by?: string
  readonly reason?: string
  readonly rate?: number
  readonly limit?: number
  readonly maxReplays?: number
  readonly to?: string
  readonly open?: boolean
  readonly allowStale?: boolean
  readonly setHeader?: readonly string[]
  readonly guarantee?: 'at_least_once' | 'exactly_once'
  readonly cancel?: boolean
  readonly yes?: boolean
  readonly json?: boolean
}

/** What a command about a run works with. */
export interface ReplaySession extends CommandSession {
  readonly command: 'replay' | 'park'
  readonly parts: ReplayParts
  readonly flags: ReplayFlags
}

export function replayDeadLetters(module: string, flags: ReplayFlags): Promise<void> {
  return withReplays('replay', module, flags)
}

export function parkDeadLetters(module: string, flags: ReplayFlags): Promise<void> {
  return withReplays('park', module, flags)
}

/** Plans a run, or runs or cancels it. Exit code 1 where it is refused, or leaves letters where they are. */
async function withReplays(command: ReplaySession['command'], module: string, flags: ReplayFlags): Promise<void> {
  if (flags.cancel === true && flags.name === undefined)
    throw new RunInferenceError('SETTINGS_INVALID', '--cancel ends a run by its name: give it with --name')
  await withSession(module, flags, async session => {
    const { topology, port, settings, signal } = session
    const parts: ReplayParts = {
      ...{ port, topology, clock: systemClock, random: Math.random, signal },
      by: actOf(flags).by,
      ...{ guarantee: settings.processingGuarantee, allowedTopics: settings.replayTargets },
    }
    const whole: ReplaySession = { ...session, command, parts, flags }
    const wish = wishOf(whole)
    if (flags.cancel === true) await cancel(whole, wish)
    else if (flags.yes === true) await run(whole, wish)
    else await plan(whole, wish)
  })
}

function wishOf({ command, module, topology, flags, parts }: ReplaySession): ReplayWish {
  const { name, reason, maxReplays, guarantee, allowStale, setHeader } = flags
  const selection = selectionOf(flags, topology, module)
  const target = command === 'park' ? ({ kind: 'parked' } as const) : targetOf(flags.to)
  return {
    name: name ?? newRunName(parts.by, systemClock.wallTime()),
    ...(Object.keys(selection).length > 0 && { selection }),
    ...(target && { target }),
    ...(reason !== undefined && { reason }),
    ...(maxReplays !== undefined && { maxReplays }),
    ...(guarantee && { guarantee }),
    ...(setHeader && { setHeaders: Object.fromEntries(setHeader.map(headerOf)) }),
    ...(flags.open === true && { onlyOpen: true }),
    ...(allowStale === true && { allowStale }),
  }
}

function targetOf(to: string | undefined): ReplayTarget | undefined {
  if (to === undefined) return undefined
  return to.startsWith('topic:') ? { kind: 'topic', topic: to.slice(6) } : { kind: to as 'replay' | 'source' }
}

function headerOf(text: string): readonly [name: string, value: string | null] {
  const at = text.indexOf('=')
  const value = text.slice(at + 1)
  return [text.slice(0, at), value === '' ? null : value]
}

async function plan(session: ReplaySession, wish: ReplayWish): Promise<void> {
  const { parts, flags, progress, signal } = session
  const onProgress = (done: number, all: number) =>
    progress.show(
      `reading dead letters: ${done.toLocaleString('en')} of ${all.toLocaleString('en')} offsets`,
      done / all,
    )
  const found = await unlessInterrupted(signal, planReplay(parts, wish, { onProgress, onUnreadable: sayUnreadable }))
  progress.clear()
  if (flags.json === true) printPlan(found, runsWith(session, found))
  else {
    console.log(planText(session, found))
    if (found.refusal !== undefined) console.error(printable(`\nit would be refused now: ${found.refusal}`))
  }
  if (found.refusal !== undefined) process.exitCode = 1
}

function printPlan({ resumes, ...found }: ReplayPlan, command: string): void {
  const from = resumes && { ...resumes.run, ...resumes.progress, ...NOT_SHOWN }
  console.log(printable(JSON.stringify({ dryRun: true, ...found, ...(from && { resumes: from }), command })))
}

async function run(session: ReplaySession, wish: ReplayWish): Promise<void> {
  const { parts, flags, progress, command, signal } = session
  let [shown, hasBegun, trouble] = [0, false, '']
  const running = startReplay(parts, wish, {
    ...(flags.rate !== undefined && { rate: flags.rate }),
    ...(flags.limit !== undefined && { limit: flags.limit }),
    onUnreadable: sayUnreadable,
    onStarted: (_, isResumed) => {
      hasBegun = true
      if (flags.json !== true) console.error(`run ${wish.name} ${isResumed ? 'goes on' : 'has begun'}`)
    },
    onProgress: (done, all, counts) => {
      trouble = ''
      const what = command === 'park' ? 'parking' : 'replaying'
      progress.show(`${what}: ${countsText(counts)}`, all === 0 ? 1 : done / all)
    },
    onTrouble: ({ message }) => {
      if (message === trouble) return
      trouble = message
      progress.clear()
      console.error(printable(`it waits, and tries again: ${message}`))
    },
    onLost: (letter, why) => {
      if (flags.json === true || ++shown > SHOWN_LOST) return
      progress.clear()
      console.error(printable(`left where it is: ${placeOf(letter)}: ${why}`))
      if (shown === SHOWN_LOST) console.error('more of these are only counted')
    },
  })
  const result = await running.catch((error: unknown) => {
    // What Ctrl-C ends is not told otherwise.
    if (signal.aborted && hasBegun)
      console.error(
        printable(`the audit is not told how far run ${wish.name} came: ${(error as Error).message}`),
        `\nit goes on with: ${goesOnWith(session, wish.name)}`,
      )
    throw error
  })
  progress.clear()
  if (flags.json === true) console.log(printable(JSON.stringify(result)))
  else sayEnd(session, result)
  sayLost(session, result)
}

function sayEnd(session: ReplaySession, { name, end, counts, order }: StartedReplay): void {
  console.log(`run ${name} ${end === 'finished' ? 'is finished' : 'is stopped'}: ${countsText(counts)}`)
  if (end === 'stopped') console.error(`it goes on with: ${goesOnWith(session, name)}`)
  else if (counts.parked > 0 && order.target.kind !== 'parked')
    console.error(
      `parked letters had been replayed ${order.maxReplays} times before: they are for people, in ${session.topology.name}.parked`,
    )
}

/** What is left where it is has not been replayed, so the run has failed for it. */
function sayLost(session: ReplaySession, { counts: { lost }, order }: StartedReplay): void {
  if (lost === 0) return
  process.exitCode = 1
  const what =
    lost === 1
      ? '1 dead letter is left where it is'
      : `${lost.toLocaleString('en')} dead letters are left where they are`
  console.error(printable(`${what}, and open. To list what is open: ${listsOpen(session, order)}`))
}

async function cancel({ parts, flags, signal }: ReplaySession, wish: ReplayWish): Promise<void> {
  const end = await unlessInterrupted(signal, cancelReplay(parts, wish))
  if (flags.json === true) console.log(printable(JSON.stringify(end)))
  else console.log(`run ${end.run} is cancelled; until then: ${countsText(end.counts)}`)
}
