/**
 * Makes elements. What a record, a message or a model id says can only become text here.
 *
 * E1. Children are nodes or text; nothing in the page takes HTML.
 * E2. An address is a place of this page (`#/…`), written in the source, never made from data.
 * E3. No attribute runs or styles anything: no handlers, no `style`.
 */
export type Child = Node | string | number | false | null | undefined
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

const SVG = 'http://www.w3.org/2000/svg'

export function el<T extends keyof HTMLElementTagNameMap>(
  tag: T,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[T] {
  return filled(document.createElement(tag), attributes, children)
}

export function svg<T extends keyof SVGElementTagNameMap>(
  tag: T,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[T] {
  return filled(document.createElementNS(SVG, tag), attributes, children)
}

/** A button that submits nothing. */
export function button(label: string, onClick: () => unknown, attributes: Attributes = {}): HTMLButtonElement {
  const made = el('button', { type: 'button', ...attributes }, label)
  made.addEventListener('click', () => void onClick())
  return made
}

/** For those who hear the page, not for those who see it. */
export function unseen(text: string): HTMLElement {
  return el('span', { class: 'unseen' }, text)
}

/** What this scope does not know: never a 0. */
export function unknown(): HTMLElement {
  return el(
    'span',
    { class: 'unknown', title: 'not known here' },
    el('span', { 'aria-hidden': 'true' }, '–'),
    unseen('not known'),
  )
}

export function setChildren(parent: Element, ...children: readonly Child[]): void {
  parent.replaceChildren(...nodesOf(children))
}

export function nodesOf(children: readonly Child[]): (Node | string)[] {
  return children
    .filter(child => child !== undefined && child !== null && child !== false)
    .map(child => (typeof child === 'number' ? String(child) : child))
}

function filled<E extends Element>(element: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue
    const text = value === true ? '' : String(value)
    if (/^on|^(style|srcdoc|action|formaction)$/i.test(name)) throw new TypeError(`attribute ${name} is not used here`)
    if (/href|src/i.test(name) && !text.startsWith('#/')) throw new TypeError(`${name} leads out of this page: ${text}`)
    element.setAttribute(name, text)
  }
  element.append(...nodesOf(children))
  return element
}
