/** Replays in words, and as the command lines that run them. */
import { printable } from '../check/showable.ts'
import type { ReplayCounts, ReplayOrder } from '../dead-letters/replay-audit.ts'
import type { ReplayPlan } from '../dead-letters/replay-plan.ts'
import { isSecret } from '../secret-settings.ts'
import { settingFlag } from '../settings-names.ts'
import { type SettingGroup, settingsHelp } from '../settings-schema.ts'
import { selectionArguments } from './dlq-flags.ts'
import type { ReplaySession } from './dlq-replay.ts'
import { table } from './dlq-text.ts'
import { shellLine } from './shell-words.ts'

const SHOWN_GROUPS = 20

export function countsText({ replayed, parked, lost }: ReplayCounts): string {
  const facts = [
    `${replayed.toLocaleString('en')} replayed`,
    ...(parked === 0 ? [] : [`${parked.toLocaleString('en')} parked`]),
    ...(lost === 0 ? [] : [`${lost.toLocaleString('en')} left where they are`]),
  ]
  return facts.join(', ')
}

export function planText(session: ReplaySession, plan: ReplayPlan): string {
  const { name, order, resumes, seen, selected, replayed, parked, lost, lostBecause, valuesElsewhere, groups } = plan
  const { limit } = session.flags
  const count = (n: number) => n.toLocaleString('en')
  const facts: readonly (readonly [string, string])[] = [
    ['run', resumes ? `${name}, which goes on` : `${name}, a new one`],
    ...(resumes ? begun(resumes) : []),
    [
      'selected',
      `${count(selected)} of ${count(seen)} dead letters${limit !== undefined && limit < selected ? `, of which the first ${count(limit)} now` : ''}`,
    ],
    ...(plan.handledBefore === 0
      ? []
      : [
          [
            '',
            `${count(plan.handledBefore)} of these have been handled by another run: --open leaves them out`,
          ] as const,
        ]),
    ...Object.entries(replayed).map(([topic, n]) => ['replayed', `${count(n)} to ${topic}`] as const),
    ...(valuesElsewhere === 0
      ? []
      : [
          [
            '',
            `${count(valuesElsewhere)} of these with values that were too large to keep, read where they were first read`,
          ] as const,
        ]),
    ...(parked === 0
      ? []
      : [['parked', `${count(parked)} to ${session.topology.name}.parked${whyParked(order)}`] as const]),
    ...(lost === 0 ? [] : [['left', `${count(lost)} where they are`] as const]),
    ...Object.entries(lostBecause).map(([why, n]) => ['', `${count(n)}: ${why}`] as const),
    ['guarantee', order.guarantee],
    ...Object.entries(order.setHeaders).map(
      ([header, text]) => ['header', text === null ? `without ${header}` : `${header}=${text}`] as const,
    ),
  ]
  const reasons = groups.slice(0, SHOWN_GROUPS)
  const rows = reasons.map(({ fingerprint, count, stage, step, code, message }) => [
    ...[fingerprint, String(count), stage ?? '?', step ?? '-', code ?? '?', message],
  ])
  return [
    'dry run: nothing was written',
    '',
    ...facts.map(([what, text]) => printable(`${what.padEnd(12)}${text}`)),
    ...(rows.length === 0 ? [] : ['', table(['fingerprint', 'count', 'stage', 'step', 'code', 'message'], rows)]),
    ...(groups.length > rows.length ? [`and ${groups.length - rows.length} reasons more: kri dlq stats`] : []),
    '',
    selected === 0 ? 'there is nothing to do' : `to do it:\n  ${runsWith(session, plan)}`,
  ].join('\n')
}

function begun({ run, progress }: NonNullable<ReplayPlan['resumes']>): readonly (readonly [string, string])[] {
  const why = run.reason === undefined ? '' : ` (${run.reason})`
  return [
    ['begun', `by ${run.by} at ${run.startedAt}${why}`],
    [
      'until now',
      `${countsText(progress.counts)}; ${progress.done.toLocaleString('en')} of ${progress.all.toLocaleString('en')} offsets are behind`,
    ],
  ]
}

function whyParked({ target, maxReplays }: ReplayOrder): string {
  return target.kind === 'parked' ? '' : `: replayed ${maxReplays} times before they failed again`
}

/** The command line that does what was planned. */
export function runsWith(session: ReplaySession, { name, order, resumes }: ReplayPlan): string {
  const { flags, command } = session
  const { selection, target, maxReplays, guarantee, setHeaders } = order
  const given = <T>(flag: string, value: T | undefined) => (value === undefined ? [] : [flag, String(value)])
  const asked = resumes
    ? []
    : [
        ...selectionArguments(selection),
        ...(command === 'park' || target.kind === 'replay'
          ? []
          : ['--to', target.kind === 'topic' ? `topic:${target.topic}` : target.kind]),
        ...(command === 'park' ? [] : ['--max-replays', String(maxReplays)]),
        ...['--guarantee', guarantee],
        ...Object.entries(setHeaders).flatMap(([header, text]) => ['--set-header', `${header}=${text ?? ''}`]),
        ...(order.onlyOpen === true ? ['--open'] : []),
        ...(order.allowStale === true ? ['--allow-stale'] : []),
      ]
  const how = [
    ...given('--reason', flags.reason),
    ...given('--by', flags.by),
    ...given('--rate', flags.rate),
    ...given('--limit', flags.limit),
  ]
  return shellLine([
    'kri',
    'dlq',
    command,
    session.module,
    ...asked,
    '--name',
    name,
    ...how,
    ...connection(session),
    '--yes',
  ])
}

export function goesOnWith(session: ReplaySession, name: string): string {
  return shellLine(['kri', 'dlq', session.command, session.module, '--name', name, ...connection(session), '--yes'])
}

/** Lists what is open of what a run selects: behind its end that is what it has left where it is, and what came since. */
export function listsOpen(session: ReplaySession, { selection }: Pick<ReplayOrder, 'selection'>): string {
  const selected = selectionArguments(selection)
  return shellLine(['kri', 'dlq', 'ls', session.module, ...selected, '--open', ...connection(session, ['connection'])])
}

/** As it was given on the command line; secrets are for whoever runs it to give again. */
function connection({ flags }: ReplaySession, groups?: readonly SettingGroup[]): readonly string[] {
  const parameters = Object.entries(flags.param ?? {}).flatMap(([name, value]) => [
    '--param',
    value === true ? name : `${name}=${value}`,
  ])
  const settings = settingsHelp()
    .filter(({ name, group }) => flags[name] !== undefined && !isSecret(name) && groups?.includes(group) !== false)
    .flatMap(({ name }) => [settingFlag(name), String(flags[name])])
  return [...parameters, ...(flags.config === undefined ? [] : ['--config', flags.config]), ...settings]
}
