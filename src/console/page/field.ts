/** Fields of forms, each with its label. */
import { type Attributes, type Child, el } from './elements.ts'

export function field(label: string, input: HTMLElement, hint?: string): HTMLElement {
  return el('label', { class: 'field' }, el('span', {}, label), input, hint !== undefined && el('small', {}, hint))
}

export function textField(label: string, attributes: Attributes, hint?: string): HTMLElement {
  return field(label, el('input', { type: 'text', autocomplete: 'off', spellcheck: 'false', ...attributes }), hint)
}

export function numberField(label: string, attributes: Attributes, hint?: string): HTMLElement {
  return field(label, el('input', { type: 'number', autocomplete: 'off', ...attributes }), hint)
}

export function selectField(
  label: string,
  name: string,
  options: readonly (readonly [value: string, text: string])[],
  chosen = '',
): HTMLElement {
  const option = ([value, text]: readonly [string, string]): Child =>
    el('option', { value, selected: value === chosen }, text)
  return field(label, el('select', { name }, ...options.map(option)))
}

/** What was written; undefined where nothing was. */
export function given(form: FormData, name: string): string | undefined {
  const value = form.get(name)
  return typeof value !== 'string' || value.trim() === '' ? undefined : value.trim()
}

export function givenNumber(form: FormData, name: string): number | undefined {
  const text = given(form, name)
  return text === undefined ? undefined : Number(text)
}
