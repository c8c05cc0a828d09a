/** What a slot's card shows below the model that serves: the trial, the fleet, what was before. */
import type { SlotView } from '../console-api.ts'
import { type Child, el, unknown } from './elements.ts'
import { count, counted } from './format.ts'
import { table } from './table.ts'

export function trialOf({ candidate }: SlotView): readonly Child[] {
  if (candidate === undefined) return []
  const share =
    candidate.mode === 'canary'
      ? `canary: has ${candidate.percent} % of the keys`
      : 'shadow: scores beside the one that serves, and nobody sees it'
  return [
    el(
      'p',
      { class: 'trial', 'data-id': 'trial' },
      el('span', { class: 'pill warn' }, candidate.mode),
      ' On trial: ',
      el('code', {}, candidate.modelId),
      `, ${share}.`,
    ),
  ]
}

export function fleetOf({ fleet, fleetLeftOut = {} }: SlotView): readonly Child[] {
  const { current: others = 0 } = fleetLeftOut
  const current = others + fleet.filter(({ state }) => state === 'current').length
  const gone = Object.entries(fleetLeftOut)
  const left = gone.reduce((sum, [, each]) => sum + each, 0)
  return [
    el('h3', {}, `Fleet: ${current} of ${counted(fleet.length + left, 'instance')} current`),
    left > 0 &&
      el(
        'p',
        { class: 'note' },
        `${count(left)} more are not shown: ${gone.map(([state, each]) => `${count(each)} ${state}`).join(', ')}.`,
      ),
    table(
      'What each instance has made of it',
      [
        { label: 'Instance' },
        { label: 'State' },
        { label: 'Revision', numeric: true },
        { label: 'Runs' },
        { label: 'Why' },
      ],
      fleet.map(({ instance, state, revision, modelId, reason }) => ({
        id: instance,
        cells: [
          el('code', {}, instance),
          el('span', { class: `pill ${state === 'current' ? 'good' : state === 'failed' ? 'bad' : 'warn'}` }, state),
          revision,
          modelId === undefined ? unknown() : el('code', {}, modelId),
          reason ?? '',
        ],
      })),
      'No instance has said anything of this slot.',
    ),
  ]
}

export function historyOf({ previous }: SlotView): HTMLElement {
  return table(
    'What served before, the newest first',
    [{ label: 'Model' }, { label: 'Name' }, { label: 'sha256' }],
    previous.map(({ modelId, modelName, sha256 }, i) => ({
      id: `${i} ${modelId}`,
      cells: [
        el('code', {}, modelId),
        modelName,
        sha256 === undefined ? unknown() : el('code', { title: sha256 }, sha256.slice(0, 12)),
      ],
    })),
    'Nothing served before.',
  )
}
