import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { printable } from '../check/showable.ts'
import { type EditableRecord, type LetterEdit, openLetterEdit } from '../dead-letters/letter-edit.ts'
import { checkEdit, replayEdited } from '../dead-letters/replay-edit.ts'
import { newRunName } from '../dead-letters/replay-order.ts'
import type { ReplayParts } from '../dead-letters/replay-parts.ts'
import type { LetterPlace } from '../dead-letters/whole-letter.ts'
import { RunInferenceError } from '../errors.ts'
import { systemClock } from '../ops/clock.ts'
import { editorCommand } from '../settings.ts'
import { type CommandSession, unlessInterrupted } from './command-session.ts'
import { readSchema } from './connect.ts'
import { placeOf } from './dlq-text.ts'
import { actOf } from './models-session.ts'

const SHOWN_CHANGES = 50
const CHANGE_CHARS = 200

export interface EditFlags {
  readonly edit?: boolean
  readonly editWith?: string
  readonly yes?: boolean
  readonly by?: string
  readonly reason?: string
  readonly allowStale?: boolean
  readonly json?: boolean
}

/** Lets a person edit one dead letter, shows what is not as it was, and replays it when that is wanted. */
export async function editDeadLetter(session: CommandSession, place: LetterPlace, flags: EditFlags): Promise<void> {
  const { topology, port, settings, signal } = session
  const parts: ReplayParts = {
    ...{ port, topology, clock: systemClock, random: Math.random, signal, by: actOf(flags).by },
    ...{ guarantee: settings.processingGuarantee, allowedTopics: settings.replayTargets },
  }
  const readers = { ...session, readSchema, clock: systemClock }
  const edit = await unlessInterrupted(signal, openLetterEdit({ port, topology, readers, signal }, place))
  // Before somebody takes the trouble.
  await unlessInterrupted(signal, checkEdit(parts, edit, flags))
  const text = flags.editWith === undefined ? await inEditor(edit) : await readEdited(flags.editWith)
  const edited = await edit.apply(text)
  const changes = changesBetween(edited.before, edited.after)
  if (flags.json !== true && edited.changed.length > 0) console.log(changesText(changes))
  if (edited.changed.length > 0 && flags.yes !== true && !(await isWanted(edit, flags))) {
    console.error('nothing was written')
    return
  }
  const name = newRunName(parts.by, systemClock.wallTime())
  const wish = {
    name,
    ...(flags.reason !== undefined && { reason: flags.reason }),
    ...(flags.allowStale && { allowStale: true }),
  }
  const record = await unlessInterrupted(signal, replayEdited(parts, edit, edited, wish))
  if (flags.json === true)
    console.log(printable(JSON.stringify({ ...record, changes: changes.slice(0, SHOWN_CHANGES) })))
  else
    console.log(
      `${placeOf(edit.letter)} was written to ${record.target.topic} as it is now; the dead letter stays as it was`,
    )
}

/** In $VISUAL or $EDITOR, on a file of its own. */
async function inEditor({ letter, record, undecoded }: LetterEdit): Promise<string> {
  const editor = editorCommand()
  if (!editor || process.stdin.isTTY !== true)
    throw new RunInferenceError(
      'SETTINGS_INVALID',
      `--edit opens $VISUAL or $EDITOR on a terminal: ${editor ? 'this is none' : 'neither is set'}. Give the edited record as a file: --edit-with`,
    )
  for (const [field, why] of Object.entries(undecoded))
    console.error(printable(`the ${field} of ${placeOf(letter)} is shown as bytes: ${why}`))
  const folder = await mkdtemp(join(tmpdir(), 'kri-edit-'))
  try {
    const file = join(folder, 'dead-letter.json')
    await writeFile(file, `${printableJson(record)}\n`, { mode: 0o600 })
    const [command, ...words] = editor.split(/\s+/) as [string, ...string[]]
    const child = spawn(command, [...words, file], { stdio: 'inherit' })
    const [code] = (await once(child, 'exit')) as [number | null]
    if (code !== 0)
      throw new RunInferenceError('SETTINGS_INVALID', `${command} ended with ${code}: nothing was written`)
    return await readFile(file, 'utf8')
  } catch (error) {
    throw RunInferenceError.from(error, 'SETTINGS_INVALID', `editing with ${editor}`)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function readEdited(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw RunInferenceError.from(error, 'SETTINGS_INVALID', `--edit-with: cannot read ${file}`)
  }
}

async function isWanted({ letter }: LetterEdit, { json }: EditFlags): Promise<boolean> {
  if (json === true || process.stdin.isTTY !== true) {
    console.error('to write it: --yes')
    return false
  }
  const asked = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test(
      (await asked.question(`write ${placeOf(letter)} like this to its replay topic? [y/N] `)).trim(),
    )
  } finally {
    asked.close()
  }
}

interface Change {
  readonly at: string
  /** Undefined: there is nothing. */
  readonly before?: unknown
  readonly after?: unknown
}

/** By path, what is not as it was. */
export function changesBetween(before: EditableRecord, after: EditableRecord): readonly Change[] {
  const [was, is] = [leaves('', before), leaves('', after)]
  return [...new Set([...was.keys(), ...is.keys()])]
    .filter(at => JSON.stringify(was.get(at)) !== JSON.stringify(is.get(at)))
    .map(at => ({ at, ...(was.has(at) && { before: was.get(at) }), ...(is.has(at) && { after: is.get(at) }) }))
}

function leaves(at: string, value: unknown, into = new Map<string, unknown>()): ReadonlyMap<string, unknown> {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : []
  if (entries.length === 0) into.set(at, value)
  for (const [name, each] of entries)
    leaves(Array.isArray(value) ? `${at}[${name}]` : at === '' ? name : `${at}.${name}`, each, into)
  return into
}

function changesText(changes: readonly Change[]): string {
  const text = (value: unknown) => printable((JSON.stringify(value) ?? '').slice(0, CHANGE_CHARS))
  const lines = changes
    .slice(0, SHOWN_CHANGES)
    .flatMap(({ at, ...change }) => [
      ...('before' in change ? [`- ${printable(at)}: ${text(change.before)}`] : []),
      ...('after' in change ? [`+ ${printable(at)}: ${text(change.after)}`] : []),
    ])
  return [
    ...lines,
    ...(changes.length > SHOWN_CHANGES ? [`and ${changes.length - SHOWN_CHANGES} changes more`] : []),
  ].join('\n')
}

/** Nothing in it moves the terminal of an editor. */
function printableJson(record: EditableRecord): string {
  return JSON.stringify(record, null, 2).split('\n').map(printable).join('\n')
}
