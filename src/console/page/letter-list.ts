/** Dead letters one by one, the newest first. */
import type { LetterView } from '../console-api.ts'
import { button, el, unknown } from './elements.ts'
import { count, time, withoutCode } from './format.ts'
import { go } from './go.ts'
import { table } from './table.ts'

export function letterTable(letters: readonly LetterView[]): HTMLElement {
  return table(
    'Newest letters',
    [
      { label: 'Letter' },
      { label: 'Failed' },
      { label: 'Code' },
      { label: 'Message' },
      { label: 'Key' },
      { label: 'Model' },
      { label: 'Replays', numeric: true },
    ],
    letters.map(letter => ({
      id: letter.place,
      cells: [
        button(letter.place, () => go('#/dead-letters/letter', new URLSearchParams({ place: letter.place })), {
          class: 'place',
        }),
        time(letter.failedAt),
        el('span', { class: 'failure' }, letter.code ?? unknown()),
        el(
          'span',
          { class: 'message' },
          letter.message === null ? unknown() : withoutCode(letter.message, letter.code),
        ),
        letter.key === null ? el('span', { class: 'note' }, 'no key') : el('code', {}, letter.key),
        letter.modelId === null ? unknown() : el('code', {}, letter.modelId),
        count(letter.replayCount),
      ],
    })),
    'No dead letters are selected.',
  )
}
