/**
 * Builds that are broken on purpose, to see that the checker would notice. Each is a copy of the sources in which a piece of
 * text is replaced; the pieces must be there exactly once, so that a change of the sources cannot make this a test of nothing.
 */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FaultKind } from './faults.ts'
import type { Guarantee, Verdict } from './judge.ts'

export interface BrokenBuild {
  readonly name: string
  readonly about: string
  readonly edits: readonly { readonly file: string; readonly from: string; readonly to: string }[]
  /** The run in which it shows. */
  readonly guarantee: Guarantee
  readonly faults: readonly FaultKind[]
  /** What the checker has to find. */
  readonly shows: keyof Pick<Verdict, 'lost' | 'duplicates'>
}

export const BROKEN_BUILDS: readonly BrokenBuild[] = [
  {
    name: 'commits-first',
    about: 'offsets are committed before what was made of the records is written',
    guarantee: 'at_least_once',
    faults: ['kill'],
    shows: 'lost',
    edits: [
      {
        file: 'src/pipeline/outbox.ts',
        from: '    for (let i = 0; i < unit.rounds.length; i++) {\n',
        // The pause makes sure that somebody is killed in between.
        to: '    onAcknowledged(unit)\n    await new Promise(resolve => setTimeout(resolve, 300))\n    for (let i = 0; i < unit.rounds.length; i++) {\n',
      },
      {
        file: 'src/pipeline/outbox.ts',
        from: '    if (!unit.flow.lost && !this.#closed) onAcknowledged(unit)\n',
        to: '',
      },
    ],
  },
  {
    name: 'unfenced',
    about: 'nobody fences the one who had the partition before, and that one does not ask whether it may still commit',
    guarantee: 'exactly_once',
    faults: ['stop'],
    shows: 'duplicates',
    edits: [
      {
        file: 'src/pipeline/transactional-writers.ts',
        // An id of one's own: taking it over ends nobody's transactions.
        from: 'transactionalId: id, timeoutMs',
        to: 'transactionalId: id + process.pid, timeoutMs',
      },
      {
        file: 'src/pipeline/transactional-outbox.ts',
        from: '    writers.drop(flow)\n',
        to: '',
      },
      {
        file: 'src/pipeline/transaction.ts',
        from: "    if (!(await maySend(this.#flow))) return 'dropped'\n    await this.#writer.commit()\n",
        to: '    await new Promise(resolve => setTimeout(resolve, 300))\n    await this.#writer.commit()\n',
      },
    ],
  },
]

/** What a program is made of, beside its dependencies. */
const PARTS = ['src', 'chaos', 'scripts', 'package.json']

/** Makes the copy in a folder that must not exist yet. Throws when the sources have not what is to be replaced. */
export function makeBroken({ name, edits }: BrokenBuild, root: string, folder: string): void {
  mkdirSync(folder)
  for (const part of PARTS) cpSync(join(root, part), join(folder, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const { file, from, to } of edits) {
    const path = join(folder, file)
    writeFileSync(path, replaced(readFileSync(path, 'utf8'), from, to, `${name}: ${file}`))
  }
}

export function replaced(text: string, from: string, to: string, where: string): string {
  const parts = text.split(from)
  if (parts.length !== 2) throw new Error(`${where} has this text ${parts.length - 1} times instead of once:\n${from}`)
  return parts.join(to)
}
