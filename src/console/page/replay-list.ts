/** Replays that run, and those before them. */
import type { ReplayView } from '../console-api.ts'
import { cancelReplay } from './api.ts'
import { askForm } from './dialog.ts'
import { button, type Child, el, setChildren } from './elements.ts'
import { count, time } from './format.ts'
import { morph } from './morph.ts'
import { notice } from './notice.ts'
import { watchEnds } from './replay-ends.ts'
import { facts } from './table.ts'

export interface ReplayList {
  readonly element: HTMLElement
  update(replays: readonly ReplayView[]): void
  /** One has ended since the page was opened. */
  onEnded(heard: () => void): void
}

const SHOWN_ENDED = 3
const PILLS: Readonly<Record<ReplayView['state'], string>> = {
  ...{ running: 'warn', finished: 'good', stopped: 'warn', cancelled: 'warn', failed: 'bad' },
}

export function createReplayList(canChange: boolean): ReplayList {
  const list = el('ul', { class: 'replays' })
  const element = el('section', { hidden: true }, el('h2', {}, 'Replays'), list)
  const rows = new Map<string, ReplayRow>()
  const hasEnded = watchEnds()
  let order = ''
  let heard = () => {}
  return {
    element,
    onEnded(next) {
      heard = next
    },
    update(replays) {
      const ended = replays.filter(({ state }) => state !== 'running').slice(0, SHOWN_ENDED)
      const shown = [...replays.filter(({ state }) => state === 'running'), ...ended]
      element.hidden = shown.length === 0
      for (const { name } of shown) if (!rows.has(name)) rows.set(name, createRow(name, canChange))
      const next = shown.map(({ name }) => name).join('\n')
      if (next !== order) setChildren(list, ...shown.map(({ name }) => rows.get(name)!.element))
      order = next
      for (const view of shown) rows.get(view.name)!.update(view)
      if (hasEnded(replays)) heard()
    },
  }
}

interface ReplayRow {
  readonly element: HTMLElement
  update(view: ReplayView): void
}

/** The button stays the same element while the figures change. */
function createRow(name: string, canChange: boolean): ReplayRow {
  const said = el('div')
  const cancel = button('Cancel…', () => askCancel(name), { 'aria-label': `Cancel replay ${name}` })
  return {
    element: el('li', { class: 'card' }, said, cancel),
    update(view) {
      cancel.hidden = !canChange || view.state !== 'running'
      morph(said, ...factsOf(view))
    },
  }
}

function factsOf(view: ReplayView): readonly Child[] {
  const { name, by, reason, startedAt, state, progress, replayed, parked, lost, problem } = view
  const percent = progress === undefined ? undefined : Math.floor(100 * progress)
  return [
    el(
      'p',
      {},
      el('span', { class: `pill ${PILLS[state]}` }, state),
      ' ',
      el('code', {}, name),
      ' by ',
      by,
      ', ',
      time(startedAt),
      reason !== undefined && `: ${reason}`,
    ),
    state === 'running' &&
      el('progress', { max: 100, value: percent, 'aria-label': `Progress of replay ${name}` }, `${percent ?? 0} %`),
    facts([
      ['Replayed', count(replayed)],
      ['Parked', count(parked)],
      ['Lost', count(lost)],
    ]),
    problem !== undefined && el('p', { class: 'problem' }, problem),
  ]
}

function askCancel(name: string): Promise<unknown> {
  return askForm({
    title: `Cancel replay ${name}`,
    content: [el('p', {}, 'It stops after the records under way. What it has replayed stays replayed.')],
    submit: 'Cancel the replay',
    dangerous: true,
    async run() {
      await cancelReplay(name)
      notice(`Replay ${name} is asked to stop.`)
    },
  })
}
