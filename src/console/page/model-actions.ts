/** What can be done to a slot, each asked about first. */
import type { RevisionView, SlotView } from '../console-api.ts'
import { changeSlot, publishModel } from './api.ts'
import { askForm } from './dialog.ts'
import { type Child, el } from './elements.ts'
import { given, givenNumber, numberField, selectField, textField } from './field.ts'
import { notice } from './notice.ts'

const MODES = [
  ['', 'serve all records'],
  ['canary', 'canary: serve a share of the keys'],
  ['shadow', 'shadow: score beside, unseen'],
] as const

export function askPublish({ slot, stable }: SlotView): Promise<unknown> {
  const mode = selectField('It is to', 'mode', MODES)
  const share = numberField('Share of the keys in percent', {
    name: 'percent',
    min: 0.01,
    max: 100,
    step: 'any',
    value: 10,
  })
  share.hidden = true
  mode.addEventListener('change', event => {
    share.hidden = (event.target as HTMLSelectElement).value !== 'canary'
  })
  return askForm({
    title: `Publish a model for ${slot}`,
    content: [
      textField(
        'Model id',
        { name: 'modelId', required: true, autofocus: true, value: idOf(stable) },
        'A path, an address or an object that every instance finds under this id',
      ),
      textField('Name', { name: 'modelName' }, 'Made of the id when left empty'),
      mode,
      share,
      reasonField(),
    ],
    submit: 'Publish',
    async run(form) {
      const chosen = given(form, 'mode') as 'canary' | 'shadow' | undefined
      const percent = chosen === 'canary' ? givenNumber(form, 'percent') : undefined
      const modelId = given(form, 'modelId')!
      const modelName = given(form, 'modelName')
      const written = await publishModel({
        slot,
        modelId,
        ...(modelName === undefined ? {} : { modelName }),
        ...(chosen === undefined ? {} : { mode: chosen }),
        ...(percent === undefined ? {} : { percent }),
        ...reasonOf(form),
      })
      tell(`${modelId} is published`, written)
    },
  })
}

export function askRollback({ slot, stable, previous }: SlotView): Promise<unknown> {
  return ask('rollback', slot, 'Roll back', [
    el(
      'p',
      {},
      'These records would be served by ',
      code(previous[0]?.modelId),
      ' again, and no more by ',
      code(stable?.modelId),
      '.',
    ),
  ])
}

export function askPromote({ slot, candidate, stable }: SlotView): Promise<unknown> {
  return ask('promote', slot, 'Promote', [
    el('p', {}, code(candidate?.modelId), ' would serve all records, and ', code(stable?.modelId), ' none.'),
  ])
}

export function askAbort({ slot, candidate, stable }: SlotView): Promise<unknown> {
  return ask('abort', slot, 'Abort the trial', [
    el(
      'p',
      {},
      'The trial of ',
      code(candidate?.modelId),
      ' would end; ',
      code(stable?.modelId),
      ' serves all records.',
    ),
  ])
}

function ask(what: 'rollback' | 'promote' | 'abort', slot: string, label: string, content: Child[]): Promise<unknown> {
  return askForm({
    title: `${label}: ${slot}`,
    content: [...content, reasonField(true)],
    submit: label,
    dangerous: what !== 'promote',
    run: async form => tell(`${label}: done`, await changeSlot(what, { slot, ...reasonOf(form) })),
  })
}

/** One whose address is not shown whole cannot be published again as it is shown. */
function idOf(stable: SlotView['stable']): string | undefined {
  return stable?.modelId.includes('***') === true ? undefined : stable?.modelId
}

function tell(what: string, { slot, revision }: RevisionView): void {
  notice(`${what}: revision ${revision} of ${slot} is written. Below stands what each instance makes of it.`)
}

function reasonField(isFirst = false): HTMLElement {
  return textField('Reason', { name: 'reason', autofocus: isFirst }, 'Kept with it, for those who come after you')
}

function reasonOf(form: FormData): { readonly reason?: string } {
  const reason = given(form, 'reason')
  return reason === undefined ? {} : { reason }
}

function code(modelId: string | undefined): HTMLElement {
  return el('code', {}, modelId ?? 'the model that the topology names')
}
