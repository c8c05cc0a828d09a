/** The token of this session: kept until the tab is closed, and nowhere else. */
import { askForm } from './dialog.ts'
import { el } from './elements.ts'
import { Declined } from './problem.ts'

const KEY = 'kri-console-token'
/** No header takes anything else, and a browser would say that the server cannot be reached. */
const SENDABLE = /^[\x20-\x7e]+$/
let kept: string | undefined

/** Asks for it when there is none. Throws `Declined` when none is given. */
export async function token(refused: boolean): Promise<string> {
  kept ??= stored()
  if (kept !== undefined) return kept
  const given = await askForm({
    title: 'Token needed',
    content: [
      el(
        'p',
        { role: refused ? 'alert' : undefined, class: refused ? 'problem' : undefined },
        refused
          ? 'The server refused this token. Try again, or ask who runs the console.'
          : 'Who changes anything here shows the token that the console was started with. It is kept until this tab is closed.',
      ),
      el(
        'label',
        { class: 'field' },
        el('span', {}, 'Token'),
        el('input', { name: 'token', type: 'password', required: true, autocomplete: 'off', autofocus: true }),
      ),
    ],
    submit: 'Use this token',
    async run(form) {
      if (!SENDABLE.test(String(form.get('token')).trim()))
        throw new Error('A token has letters, digits and signs of ASCII.')
    },
  })
  const value = given?.get('token')
  if (typeof value !== 'string' || value.trim() === '') throw new Declined()
  kept = value.trim()
  try {
    sessionStorage.setItem(KEY, kept)
  } catch {
    // Storage may be switched off: then it is kept in memory alone.
  }
  return kept
}

export function forgetToken(): void {
  kept = undefined
  try {
    sessionStorage.removeItem(KEY)
  } catch {
    // As above.
  }
}

function stored(): string | undefined {
  try {
    return sessionStorage.getItem(KEY) ?? undefined
  } catch {
    return undefined
  }
}
