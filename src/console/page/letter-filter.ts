/** The form that selects: what `kri dlq ls` has as flags. It only changes the address. */
import type { ConsoleAbout, SelectionQuery } from '../console-api.ts'
import { button, el, unseen } from './elements.ts'
import { numberField, selectField, textField } from './field.ts'
import { go } from './go.ts'
import { inOwnZone } from './own-zone.ts'
import { fromParameters, type RepeatedField, toParameters } from './selection.ts'

const STAGES = [
  ['', 'any'],
  ['preprocess', 'preprocess'],
  ['inference', 'inference'],
  ['postprocess', 'postprocess'],
] as const

export function filterForm({ graph }: ConsoleAbout, selection: SelectionQuery): HTMLElement {
  const steps = graph.nodes.filter(({ kind }) => kind === 'step').map(({ label }) => [label, label] as const)
  const chosen = (name: RepeatedField) => selection[name]?.[0] ?? ''
  const anyStep = chosen('step')
  const known = anyStep === '' || steps.some(([step]) => step === anyStep)
  const form = el(
    'form',
    { class: 'filter' },
    selectField('Stage', 'stage', STAGES, chosen('stage')),
    selectField('Step', 'step', [['', 'any'], ...steps, ...(known ? [] : [[anyStep, anyStep] as const])], anyStep),
    repeated('Code', 'code', selection),
    textField('Words of the message', { name: 'text', value: selection.text }),
    repeated('Key', 'key', selection, 'as text, or hex:00ff'),
    repeated('Model', 'model', selection),
    textField(
      'Failed since',
      { name: 'since', value: selection.since },
      '90s, 30m, 2h, 7d ago, or ISO 8601, of your time zone if it names none',
    ),
    textField('Failed until', { name: 'until', value: selection.until }),
    el(
      'label',
      { class: 'check' },
      el('input', { type: 'checkbox', name: 'open', value: 'true', checked: selection.open === true }),
      el('span', {}, 'Only those not yet taken by a replay'),
    ),
    el(
      'details',
      { class: 'more', open: hasMore(selection) },
      el('summary', {}, 'More'),
      el(
        'div',
        { class: 'filter' },
        repeated('Fingerprint', 'fingerprint', selection),
        repeated('Header', 'header', selection, 'name, or name=value'),
        repeated('Read from', 'original', selection, 'topic/partition, one offset or from-until behind it'),
        repeated('Letter is at', 'letter', selection, 'as above'),
        repeated('Index of the function', 'index', selection),
        numberField('Replayed at least', { name: 'minReplays', min: 0, value: selection.minReplays }),
        numberField('Replayed at most', { name: 'maxReplays', min: 0, value: selection.maxReplays }),
      ),
    ),
    el('div', { class: 'buttons' }, el('button', { type: 'submit', class: 'primary' }, 'Filter')),
  )
  form.addEventListener('submit', event => {
    event.preventDefault()
    const { since, until, ...others } = fromParameters(new FormData(form))
    const times = { ...(since && { since: inOwnZone(since) }), ...(until && { until: inOwnZone(until) }) }
    go('#/dead-letters', toParameters({ ...others, ...times }))
  })
  return el('details', { class: 'card', open: Object.keys(selection).length > 0 }, el('summary', {}, 'Filter'), form)
}

/** A field of which any value may be met, one in each input. */
function repeated(label: string, name: RepeatedField, selection: SelectionQuery, hint?: string): HTMLElement {
  const values = selection[name] ?? []
  const fields = el('div', { class: 'repeated' })
  const add = (value: string) => {
    const isFirst = fields.childElementCount === 0
    const made = textField(isFirst ? label : `or ${label.toLowerCase()}`, { name, value }, isFirst ? hint : undefined)
    fields.append(made)
    return made
  }
  for (const value of values.length === 0 ? [''] : values) add(value)
  const another = button('or …', () => add('').querySelector('input')?.focus(), { class: 'quiet' })
  another.append(unseen(` another ${label.toLowerCase()}`))
  return el('div', { class: 'repeatable' }, fields, another)
}

function hasMore({ fingerprint, header, original, letter, index, minReplays, maxReplays }: SelectionQuery): boolean {
  return [fingerprint, header, original, letter, index, minReplays, maxReplays].some(given => given !== undefined)
}
