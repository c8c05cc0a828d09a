/** What failed: by reason, one by one, and what is done about it. The selection is the address, so that it can be passed on. */
import type { ConsoleSnapshot, GroupsView } from '../console-api.ts'
import { readGroups, readLetters } from './api.ts'
import { button, type Child, el, setChildren } from './elements.ts'
import { count, counted } from './format.ts'
import { go } from './go.ts'
import { filterForm } from './letter-filter.ts'
import { groupTable } from './letter-groups.ts'
import { letterTable } from './letter-list.ts'
import type { OpenPage } from './page.ts'
import { problemBox } from './problem.ts'
import { openReplay } from './replay-dialog.ts'
import { createReplayList } from './replay-list.ts'
import { conditions, fromParameters } from './selection.ts'

const FEW_LETTERS = 50
const MORE_LETTERS = 500

function totals({ letters, open, reasons, untold }: GroupsView): string {
  const told = untold === undefined ? counted(reasons, 'reason') : `more than ${counted(reasons, 'reason')}`
  return `${counted(letters, 'dead letter')} of ${told}, ${count(open)} not yet taken by a replay`
}

function leftOut({ groups, reasons }: GroupsView): Child {
  if (groups.length === reasons) return undefined
  return el('p', { class: 'note' }, `The ${count(groups.length)} reasons of most letters; the others are not shown.`)
}

export const openDeadLetters: OpenPage = ({ about, parameters }) => {
  const selection = fromParameters(parameters)
  const groups = el('div', { 'aria-busy': 'true' }, el('p', { class: 'empty' }, 'Reading the dead-letter topics.'))
  const letters = el('div', { 'aria-busy': 'true' })
  const summary = el('p', { role: 'status' })
  const newer = el('p', { class: 'newer', hidden: true })
  const replays = createReplayList(about.canChange)
  let limit = FEW_LETTERS
  let recordsRead: number | undefined
  let reading = new AbortController()

  const shown = async <T>(into: HTMLElement, signal: AbortSignal, read: Promise<T>, draw: (found: T) => void) => {
    into.setAttribute('aria-busy', 'true')
    try {
      const found = await read
      if (!signal.aborted) draw(found)
    } catch (error) {
      // Nobody waits for it, or it is read anew.
      if (signal.aborted) return
      setChildren(
        into,
        problemBox(error),
        button('Try again', () => void readAll()),
      )
    } finally {
      if (!signal.aborted) into.removeAttribute('aria-busy')
    }
  }
  const readNewest = (signal: AbortSignal): Promise<void> =>
    shown(letters, signal, readLetters(selection, limit, signal), found => {
      const more = button(`Show up to ${count(MORE_LETTERS)}`, () => {
        limit = MORE_LETTERS
        void readNewest(signal)
      })
      setChildren(letters, letterTable(found), found.length >= limit && limit < MORE_LETTERS && more)
    })
  // One after the other: each is a scan, and the server runs few at a time.
  const readAll = async () => {
    newer.hidden = true
    recordsRead = undefined
    reading.abort()
    reading = new AbortController()
    const { signal } = reading
    await shown(groups, signal, readGroups(selection, signal), found => {
      summary.textContent = totals(found)
      setChildren(groups, leftOut(found), groupTable(found.groups, selection, about.canChange))
    })
    if (!signal.aborted) await readNewest(signal)
  }
  setChildren(
    newer,
    'Letters have come or gone since. ',
    button('Read again', () => void readAll()),
  )
  replays.onEnded(() => void readAll())
  void readAll()

  const selected = conditions(selection)
  return {
    title: 'Dead letters',
    content: [
      filterForm(about, selection),
      el(
        'div',
        { class: 'row' },
        el(
          'div',
          {},
          summary,
          el('p', { class: 'note' }, selected.length === 0 ? 'All of them.' : `Only: ${selected.join('; ')}.`),
        ),
        el(
          'div',
          { class: 'buttons' },
          selected.length > 0 && button('Show all', () => go('#/dead-letters')),
          about.canChange && button('Replay these…', () => openReplay(selection), { class: 'primary' }),
        ),
      ),
      newer,
      replays.element,
      el('section', {}, el('h2', {}, 'By reason'), groups),
      el('section', {}, el('h2', {}, 'Newest letters'), letters),
    ],
    update(snapshot: ConsoleSnapshot) {
      replays.update(snapshot.replays)
      const records = snapshot.deadLetters.reduce((sum, topic) => sum + topic.records, 0)
      recordsRead ??= records
      // Said and not read again at once: a scan may be long, and letters may come by the second.
      newer.hidden = records === recordsRead
    },
    close() {
      reading.abort()
    },
  }
}
