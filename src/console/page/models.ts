/** Which model serves in each slot, what served before, what is on trial, and what each instance has made of it. */
import type { ConsoleSnapshot, SlotView } from '../console-api.ts'
import { button, type Child, el, setChildren } from './elements.ts'
import { counted, time } from './format.ts'
import { askAbort, askPromote, askPublish, askRollback } from './model-actions.ts'
import { fleetOf, historyOf, trialOf } from './model-facts.ts'
import { morph } from './morph.ts'
import type { OpenPage } from './page.ts'
import { facts } from './table.ts'

export const openModels: OpenPage = ({ about: { canChange } }) => {
  const cards = new Map<string, SlotCard>()
  const list = el('div', { class: 'slots' })
  const none = el('p', { class: 'empty' }, 'No step of this topology follows what is published about models.')
  let shown: readonly string[] | undefined
  return {
    title: 'Models',
    content: [list],
    update({ models }: ConsoleSnapshot) {
      const slots = models.map(({ slot }) => slot)
      if (shown === undefined || slots.join('\n') !== shown.join('\n')) {
        shown = slots
        for (const slot of slots) if (!cards.has(slot)) cards.set(slot, createCard(slot, canChange))
        setChildren(list, ...(slots.length === 0 ? [none] : slots.map(slot => cards.get(slot)!.element)))
      }
      for (const view of models) cards.get(view.slot)!.update(view)
    },
  }
}

interface SlotCard {
  readonly element: HTMLElement
  update(view: SlotView): void
}

/** Buttons stay the same elements from snapshot to snapshot, so that the one that has focus keeps it. */
function createCard(slot: string, canChange: boolean): SlotCard {
  let view: SlotView | undefined
  const known = (act: (view: SlotView) => Promise<unknown>) => () => (view === undefined ? undefined : act(view))
  const name = ` for ${slot}`
  const publish = button('Publish…', known(askPublish), { 'aria-label': `Publish a model${name}` })
  const rollback = button('Roll back…', known(askRollback), { 'aria-label': `Roll back${name}` })
  const promote = button('Promote…', known(askPromote), { 'aria-label': `Promote the model on trial${name}` })
  const abort = button('Abort…', known(askAbort), { 'aria-label': `Abort the trial${name}` })
  const current = el('div')
  const fleet = el('div')
  const history = el('div')
  const summary = el('summary')
  const element = el(
    'section',
    { class: 'card' },
    el(
      'div',
      { class: 'row' },
      el('h2', {}, slot),
      canChange && el('div', { class: 'buttons' }, publish, promote, abort, rollback),
    ),
    current,
    fleet,
    el('details', {}, summary, history),
  )
  return {
    element,
    update(next) {
      view = next
      promote.hidden = next.candidate === undefined
      abort.hidden = next.candidate === undefined
      rollback.hidden = next.previous.length === 0
      morph(current, ...currentOf(next))
      morph(fleet, ...fleetOf(next))
      morph(summary, `Before: ${counted(next.previous.length, 'model')}`)
      morph(history, historyOf(next))
    },
  }
}

function currentOf(view: SlotView): readonly Child[] {
  const { stable, revision, publishedBy, publishedAt } = view
  return [
    facts([
      ['Serves', el('code', {}, stable?.modelId ?? 'the model that the topology names')],
      ...(stable === undefined ? [] : ([['Name', stable.modelName]] as const)),
      ...(stable?.sha256 === undefined ? [] : ([['sha256', shortSum(stable.sha256)]] as const)),
      ['Revision', revision],
      ...(publishedBy === undefined ? [] : ([['Published by', publishedBy]] as const)),
      ...(publishedAt === undefined ? [] : ([['Published', time(publishedAt)]] as const)),
    ]),
    ...trialOf(view),
  ]
}

function shortSum(sha256: string): HTMLElement {
  return el('code', { title: sha256 }, sha256.slice(0, 12))
}
