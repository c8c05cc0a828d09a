/** Dead letters by reason. */
import type { FingerprintView, SelectionQuery } from '../console-api.ts'
import { button, type Child, el, unknown } from './elements.ts'
import { count, time, withoutCode } from './format.ts'
import { go } from './go.ts'
import { openReplay } from './replay-dialog.ts'
import { toParameters } from './selection.ts'
import { table } from './table.ts'

export function groupTable(
  groups: readonly FingerprintView[],
  selection: SelectionQuery,
  canChange: boolean,
): HTMLElement {
  return table(
    'Dead letters by reason',
    [
      { label: 'Reason' },
      { label: 'Where' },
      { label: 'Open', numeric: true },
      { label: 'All', numeric: true },
      { label: 'First' },
      { label: 'Last' },
      { label: 'Replayed before', numeric: true },
      { label: 'What to do', unseen: true },
    ],
    groups.map(group => {
      const only = { ...selection, fingerprint: [group.fingerprint] }
      const named = `of ${group.code ?? 'no code'}, ${group.fingerprint}`
      return {
        id: group.fingerprint,
        cells: [
          el(
            'div',
            { class: 'reason' },
            el('b', {}, group.code ?? 'no code'),
            el('span', { class: 'message' }, withoutCode(group.message, group.code)),
            el('code', { class: 'note' }, group.fingerprint),
          ),
          whereOf(group),
          el('b', { class: group.open > 0 ? 'open' : 'done' }, count(group.open)),
          count(group.count),
          time(group.firstAt),
          time(group.lastAt),
          count(group.replayedBefore),
          el(
            'div',
            { class: 'buttons' },
            button('Letters', () => go('#/dead-letters', toParameters(only)), { 'aria-label': `Letters ${named}` }),
            button('Newest', () => go('#/dead-letters/letter', new URLSearchParams({ place: group.example })), {
              'aria-label': `Newest letter ${named}`,
            }),
            canChange && button('Replay…', () => openReplay(only), { 'aria-label': `Replay letters ${named}` }),
          ),
        ],
      }
    }),
    'No dead letters.',
  )
}

function whereOf({ step, stage }: FingerprintView): Child {
  if (step === null && stage === null) return unknown()
  return el(
    'span',
    { class: 'stages' },
    step !== null && (stage === null ? step : `${step} · `),
    stage !== null && el('span', { class: 'whole' }, stage),
  )
}
