/** Tables; on narrow screens each row becomes a card, whose cells are labelled by their column. */
import { type Child, el } from './elements.ts'

export interface Column {
  readonly label: string
  readonly numeric?: boolean
  /** Only for those who hear it: of a column of buttons. */
  readonly unseen?: boolean
}

export interface Row {
  /** Tells rows apart. */
  readonly id: string
  readonly cells: readonly Child[]
}

/** The first cell of a row is its heading. `empty`: said in place of a table without rows. */
export function table(caption: string, columns: readonly Column[], rows: readonly Row[], empty: string): HTMLElement {
  if (rows.length === 0) return el('p', { class: 'empty' }, empty)
  const numeric = (i: number) => (columns[i]!.numeric === true ? 'number' : undefined)
  const head = columns.map((column, i) =>
    el(
      'th',
      { scope: 'col', class: numeric(i) },
      el('span', { class: column.unseen === true && 'unseen' }, column.label),
    ),
  )
  const cell = (child: Child, i: number) => {
    const label = columns[i]!.unseen === true ? undefined : columns[i]!.label
    return i === 0
      ? el('th', { scope: 'row', 'data-label': label, class: numeric(i) }, child)
      : el('td', { 'data-label': label, class: numeric(i) }, child)
  }
  return el(
    'table',
    { 'data-id': caption },
    el('caption', { class: 'unseen' }, caption),
    el('thead', {}, el('tr', {}, ...head)),
    el('tbody', {}, ...rows.map(({ id, cells }) => el('tr', { 'data-id': id }, ...cells.map(cell)))),
  )
}

/** Name and value pairs. */
export function facts(pairs: readonly (readonly [name: string, value: Child])[]): HTMLElement {
  return el(
    'dl',
    { class: 'facts' },
    ...pairs.map(([name, value]) => el('div', { 'data-id': name }, el('dt', {}, name), el('dd', {}, value))),
  )
}
