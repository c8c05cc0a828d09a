/** The line below the navigation that says what came of the last action; it is read aloud. */
import { button, el, setChildren } from './elements.ts'

const said = el('p', { role: 'status', class: 'said' })
const dismiss = button('Dismiss', () => clear(), { class: 'quiet' })
const bar = el('div', { class: 'notice', hidden: true }, said, dismiss)

/** To be put into the page once. */
export function noticeBar(): HTMLElement {
  return bar
}

export function notice(text: string, kind: 'good' | 'bad' = 'good'): void {
  bar.hidden = false
  bar.dataset.kind = kind
  setChildren(said, text)
}

function clear(): void {
  const hadFocus = bar.contains(document.activeElement)
  bar.hidden = true
  setChildren(said)
  if (hadFocus) document.querySelector<HTMLElement>('main h1')?.focus()
}
