/** One dead letter, whole: what failed, where and why, and the record as it was. */
import type { WholeLetterView } from '../console-api.ts'
import { readLetter } from './api.ts'
import { button, type Child, el, setChildren, unknown } from './elements.ts'
import { bytes, count, time, withoutCode } from './format.ts'
import { go } from './go.ts'
import type { OpenPage } from './page.ts'
import { problemBox } from './problem.ts'
import { openReplay } from './replay-dialog.ts'
import { facts, table } from './table.ts'

export const openLetter: OpenPage = ({ about, parameters }) => {
  const place = parameters.get('place') ?? ''
  const shown = el('div', { class: 'stack', 'aria-busy': 'true' }, el('p', { class: 'empty' }, 'Reading the letter.'))
  const reading = new AbortController()
  const draw = async () => {
    try {
      setChildren(shown, ...contentOf(await readLetter(place, reading.signal)))
    } catch (error) {
      if (!reading.signal.aborted) setChildren(shown, problemBox(error))
    } finally {
      shown.removeAttribute('aria-busy')
    }
  }
  void draw()
  return {
    title: 'Dead letter',
    content: [
      el(
        'div',
        { class: 'row' },
        el('code', { class: 'where' }, place),
        el(
          'div',
          { class: 'buttons' },
          button('Back', () => (history.length > 1 ? history.back() : go('#/dead-letters'))),
          about.canChange && button('Replay this one…', () => openReplay({ letter: [place] }), { class: 'primary' }),
        ),
      ),
      shown,
    ],
    close: () => reading.abort(),
  }
}

function contentOf(letter: WholeLetterView): readonly Child[] {
  const { code, message, stage, step, key, headers } = letter
  return [
    el(
      'section',
      { class: 'card' },
      el('h2', {}, code ?? 'No code'),
      el('p', { class: 'message' }, message === null ? 'No message.' : withoutCode(message, code)),
      facts([
        ['Stage', stage ?? unknown()],
        ['Step', step ?? unknown()],
        ['Failed', time(letter.failedAt)],
        ['Error', letter.errorType ?? unknown()],
        ['Model', letter.modelId === null ? unknown() : el('code', {}, letter.modelId)],
        ['Tries', letter.attempt === null ? unknown() : count(letter.attempt)],
        ['Replayed before', count(letter.replayCount)],
        ['Read from', el('code', {}, letter.original)],
        ['Fingerprint', el('code', {}, letter.fingerprint)],
      ]),
      letter.stack !== null && el('details', {}, el('summary', {}, 'Stack'), block('Stack', letter.stack)),
    ),
    el(
      'section',
      { class: 'card' },
      el('h2', {}, 'Record'),
      facts([
        ['Key', key === null ? el('span', { class: 'note' }, 'no key') : el('code', {}, key)],
        ['Value', letter.bytes === undefined ? 'not kept' : bytes(letter.bytes)],
      ]),
      ...contentOfValue(letter),
      el('h3', {}, 'Headers'),
      table(
        'Headers of the record',
        [{ label: 'Name' }, { label: 'Value' }],
        headers.map(([name, value], i) => ({ id: `${i}`, cells: [el('code', {}, name), el('code', {}, value)] })),
        'It has no headers.',
      ),
    ),
  ]
}

function contentOfValue({ decoded, undecoded }: WholeLetterView): readonly Child[] {
  if (decoded !== undefined) return [el('h3', {}, 'Value, decoded'), block('Value, decoded', withListsInLines(decoded))]
  if (undecoded === undefined) return []
  return [
    el('h3', {}, 'Value, which does not decode'),
    el('p', { class: 'message' }, undecoded.why),
    block('Value in hexadecimal', undecoded.hex, 'hex'),
  ]
}

/** JSON in which a list of plain values is one line: pictures and tensors are long. In JSON line ends stand between values only. */
function withListsInLines(json: string): string {
  return json.replace(/\[\n[^[\]{}"]*\]/g, list => list.replace(/\s+/g, ' ').replace('[ ', '[').replace(' ]', ']'))
}

/** May be wider than the page, and is then scrolled by itself, also by keyboard. */
function block(name: string, text: string, kind?: string): HTMLElement {
  return el('pre', { class: kind, tabindex: 0, role: 'region', 'aria-label': name }, text)
}
