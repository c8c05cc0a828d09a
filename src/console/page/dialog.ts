/** Dialogs: modal, closed by Escape, named by their heading; focus returns to where it was. */
import { button, type Child, el, setChildren } from './elements.ts'
import { notice } from './notice.ts'
import { Declined, problemBox, problemText } from './problem.ts'

export interface OpenDialog {
  readonly element: HTMLDialogElement
  close(): void
}

let opened = 0

/** Opens one; `onClose` is called once, however it is closed. */
export function openDialog(title: string, content: readonly Child[], onClose: () => void = () => {}): OpenDialog {
  const id = `dialog-${++opened}`
  const before = document.activeElement
  const element = el('dialog', { 'aria-labelledby': id }, el('h2', { id }, title), ...content)
  element.addEventListener('close', () => {
    element.remove()
    if (before instanceof HTMLElement && before.isConnected) before.focus()
    else document.querySelector<HTMLElement>('main h1')?.focus()
    onClose()
  })
  document.body.append(element)
  element.showModal()
  element.querySelector<HTMLElement>('[autofocus]')?.focus()
  return { element, close: () => element.close() }
}

export interface FormDialog {
  readonly title: string
  readonly content: readonly Child[]
  /** Label of the button that goes ahead. */
  readonly submit: string
  readonly dangerous?: boolean
  /** Does it. While it fails the dialog stays, says why, and can be tried again. */
  readonly run?: (given: FormData) => Promise<void>
}

/** What was filled in, and done; undefined when it was closed. */
export function askForm(asked: FormDialog): Promise<FormData | undefined> {
  const { title, content, submit, dangerous = false, run = async () => {} } = asked
  const { promise, resolve } = Promise.withResolvers<FormData | undefined>()
  let done: FormData | undefined
  const goAhead = el('button', { type: 'submit', class: dangerous ? 'primary dangerous' : 'primary' }, submit)
  const problem = el('div', { class: 'stack' })
  const buttons = el(
    'div',
    { class: 'buttons' },
    goAhead,
    button('Cancel', () => dialog.close()),
  )
  const form = el('form', { class: 'stack' }, ...content, problem, buttons)
  const tryIt = async () => {
    const given = new FormData(form)
    goAhead.disabled = true
    setChildren(problem)
    try {
      await run(given)
      done = given
      dialog.close()
    } catch (error) {
      if (!(error instanceof Declined)) setChildren(problem, problemBox(error))
      // Closed meanwhile: what was asked for was asked for all the same.
      if (!dialog.element.isConnected && !(error instanceof Declined)) notice(problemText(error), 'bad')
      goAhead.disabled = false
      goAhead.focus()
    }
  }
  form.addEventListener('submit', event => {
    event.preventDefault()
    void tryIt()
  })
  const dialog = openDialog(title, [form], () => resolve(done))
  return promise
}
