/** A replay: first what it would do, then doing it. What is changed during or after the dry run asks for another one, as time does. */
import type { ReplayPlanView, ReplayRequest, SelectionQuery } from '../console-api.ts'
import { dryRun, replay } from './api.ts'
import { type OpenDialog, openDialog } from './dialog.ts'
import { button, type Child, el, setChildren } from './elements.ts'
import { given, givenNumber, numberField, textField } from './field.ts'
import { count, counted } from './format.ts'
import { notice } from './notice.ts'
import { Declined, problemBox, problemText } from './problem.ts'
import { conditions } from './selection.ts'
import { facts } from './table.ts'

/** What was selected so long ago may be something else by now. */
const MAX_PLAN_AGE_MS = 5 * 60_000

export function openReplay(selection: SelectionQuery): void {
  const outcome = el('div', { class: 'stack', 'aria-live': 'polite' })
  const ask = el('button', { type: 'submit', class: 'primary' }, 'Dry run')
  const run = button('Replay', () => undefined, { class: 'primary', hidden: true })
  const form = el(
    'form',
    { class: 'stack' },
    selectionText(selection),
    el(
      'label',
      { class: 'check' },
      el('input', { type: 'checkbox', name: 'open', value: 'true', checked: true }),
      el('span', {}, 'Only those not yet taken by a replay'),
    ),
    textField('Reason', { name: 'reason', autofocus: true }, 'Kept in the audit'),
    el(
      'details',
      {},
      el('summary', {}, 'Name, rate and limits'),
      textField(
        'Name',
        { name: 'name', pattern: '[A-Za-z0-9._\\-]+' },
        'Made by the server when left empty; a name that stopped goes on',
      ),
      numberField('Records a second, at most', { name: 'rate', min: 1 }),
      numberField('Records, at most', { name: 'limit', min: 1 }),
      numberField('Park what was replayed so often', { name: 'maxReplays', min: 0 }),
    ),
    outcome,
    el(
      'div',
      { class: 'buttons' },
      ask,
      run,
      button('Close', () => dialog.close()),
    ),
  )
  let planned: { readonly request: ReplayRequest; readonly at: number } | undefined
  let changes = 0
  const closed = new AbortController()
  const busy = async (what: () => Promise<void>) => {
    ask.disabled = true
    run.disabled = true
    try {
      await what()
    } catch (error) {
      if (error instanceof Declined) return
      setChildren(outcome, problemBox(error))
      // A dry run that nobody waits for is no loss; what became of a replay is to be known.
      if (closed.signal.aborted && planned !== undefined) notice(problemText(error), 'bad')
    } finally {
      ask.disabled = false
      run.disabled = false
    }
  }
  const forget = () => {
    planned = undefined
    changes++
    run.hidden = true
    ask.hidden = false
    setChildren(outcome)
  }
  const tryDry = () =>
    busy(async () => {
      const request = requestOf(form, selection)
      setChildren(outcome, el('p', {}, 'Reading the dead-letter topics. Nothing is written.'))
      const before = changes
      const plan = await dryRun(request, closed.signal)
      if (changes !== before) {
        setChildren(outcome, el('p', {}, 'The form was changed during the dry run: make another one.'))
        return
      }
      setChildren(outcome, ...planOf(plan))
      if (plan.refusal !== undefined || plan.selected === 0) return
      planned = { request: { ...request, name: plan.name }, at: Date.now() }
      const limited = request.limit !== undefined && request.limit < plan.selected
      run.textContent = `Replay ${limited ? `${count(request.limit)} of ` : ''}${counted(plan.selected, 'record')}`
      run.hidden = false
      ask.hidden = true
    }).then(() => (run.hidden ? ask : run).focus())
  const reallyRun = async (dialog: OpenDialog) => {
    if (planned !== undefined && Date.now() - planned.at > MAX_PLAN_AGE_MS) {
      forget()
      return tryDry()
    }
    return busy(async () => {
      if (planned === undefined) return
      const { name, state, problem } = await replay(planned.request)
      dialog.close()
      if (state === 'failed') notice(`Replay ${name} failed. ${problem ?? ''}`, 'bad')
      else notice(`Replay ${name} has begun. It goes on when this page is closed.`)
    })
  }
  form.addEventListener('input', forget)
  form.addEventListener('submit', event => {
    event.preventDefault()
    if (planned === undefined) void tryDry()
    else void reallyRun(dialog)
  })
  run.addEventListener('click', () => void reallyRun(dialog))
  const dialog = openDialog('Replay dead letters', [form], () => closed.abort())
}

function requestOf(form: HTMLFormElement, selection: SelectionQuery): ReplayRequest {
  const data = new FormData(form)
  const texts = ['name', 'reason'].flatMap(name => {
    const text = given(data, name)
    return text === undefined ? [] : [[name, text] as const]
  })
  const numbers = ['rate', 'limit', 'maxReplays'].flatMap(name => {
    const value = givenNumber(data, name)
    return value === undefined ? [] : [[name, value] as const]
  })
  const { open: _, ...whole } = selection
  const chosen = data.has('open') ? { ...whole, open: true } : whole
  return { selection: chosen, ...Object.fromEntries(texts), ...Object.fromEntries(numbers) }
}

function selectionText(selection: SelectionQuery): HTMLElement {
  const selected = conditions({ ...selection, open: false })
  if (selected.length === 0) return el('p', {}, 'All dead letters of this topology.')
  return el('ul', { class: 'selected', 'aria-label': 'Selection' }, ...selected.map(each => el('li', {}, each)))
}

function planOf({ name, selected, replayed, parked, lost, refusal }: ReplayPlanView): readonly Child[] {
  return [
    el('h3', {}, 'Dry run: nothing was written'),
    facts([
      ['Name', el('code', {}, name)],
      ['Selected', count(selected)],
      ...Object.entries(replayed).map(([topic, records]) => [`To ${topic}`, count(records)] as const),
      ['Parked, replayed too often', count(parked)],
      ['Lost, the record is gone', count(lost)],
    ]),
    refusal !== undefined && el('p', { class: 'problem', role: 'alert' }, `It cannot be run now. ${refusal}`),
    refusal === undefined && selected === 0 && el('p', { class: 'empty' }, 'There is nothing to replay.'),
  ]
}
