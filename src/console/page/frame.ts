/** What every page has around it: who this is, how it is, what is wrong, where to go. */
import type { ConsoleAbout, ConsoleSnapshot, ProblemView } from '../console-api.ts'
import { type Child, el, setChildren } from './elements.ts'
import { time } from './format.ts'
import type { Connection } from './live.ts'
import { morph } from './morph.ts'
import { noticeBar } from './notice.ts'
import { openBadge } from './open-badge.ts'
import { ROUTES } from './routes.ts'

export interface Frame {
  readonly main: HTMLElement
  /** Marks the place in the navigation. */
  at(path: string, title: string): void
  update(snapshot: ConsoleSnapshot): void
  /** The server cannot tell how things are. */
  problem(problem: ProblemView): void
  connection(connection: Connection): void
}

const CONNECTIONS: Readonly<Record<Connection, string>> = {
  connecting: 'connecting',
  live: 'live',
  lost: 'connection lost, trying again',
}

export function createFrame(about: ConsoleAbout): Frame {
  const main = el('main', { id: 'main', tabindex: -1 })
  const state = el('span', { class: 'states' })
  const connected = el('span', { class: 'pill', role: 'status' })
  const problems = el('section', { class: 'problems', 'aria-label': 'Problems', 'aria-live': 'polite' })
  const badge = openBadge()
  let known: ConsoleSnapshot | undefined
  const links = ROUTES.flatMap(({ path, label }) =>
    label === undefined
      ? []
      : [{ path, link: el('a', { href: path }, label, label === 'Dead letters' && badge.element) }],
  )
  const skip = el('a', { class: 'skip', href: '#/' }, 'Skip to the content')
  skip.addEventListener('click', event => {
    event.preventDefault()
    main.focus()
  })
  setChildren(
    document.body,
    skip,
    el(
      'header',
      {},
      el(
        'div',
        { class: 'who' },
        el('strong', {}, about.topology),
        el('span', { class: 'note' }, whoIs(about)),
        el('span', { class: 'states' }, state, connected),
      ),
      el('nav', { 'aria-label': 'Pages' }, el('ul', {}, ...links.map(({ link }) => el('li', {}, link)))),
    ),
    problems,
    noticeBar(),
    main,
    el(
      'footer',
      {},
      `kafka-run-inference ${about.version} · ${about.guarantee === 'exactly_once' ? 'exactly once' : 'at least once'}`,
      about.canChange ? '' : ' · read-only: the console was started without a token',
    ),
  )
  return {
    main,
    at(path, title) {
      document.title = `${title} · ${about.topology}`
      for (const { path: of, link } of links) {
        if (path === of) link.setAttribute('aria-current', 'page')
        else if (path.startsWith(`${of}/`)) link.setAttribute('aria-current', 'true')
        else link.removeAttribute('aria-current')
      }
    },
    update(snapshot) {
      known = snapshot
      document.body.classList.remove('old')
      morph(state, ...statesOf(snapshot))
      morph(problems, ...problemsOf(snapshot))
      badge.update(snapshot)
    },
    problem({ message }) {
      // What the page shows is not how things are now.
      document.body.classList.add('old')
      morph(state, ...unknownSince(known))
      morph(problems, el('h2', {}, 'How things are is not known'), el('p', {}, message))
    },
    connection(connection) {
      if (connected.textContent === CONNECTIONS[connection]) return
      connected.className = `pill ${connection === 'live' ? 'good' : connection === 'lost' ? 'bad' : 'warn'}`
      setChildren(connected, CONNECTIONS[connection])
      document.body.classList.toggle('old', connection === 'lost')
    },
  }
}

function whoIs({ application, instance, scope }: ConsoleAbout): string {
  return scope === 'instance' ? `instance ${instance ?? ''} of ${application}` : `application ${application}`
}

function statesOf({ state, ready, at }: ConsoleSnapshot): readonly Child[] {
  return [
    el('span', { class: `pill ${ready ? 'good' : 'warn'}` }, ready ? state : `${state}, not ready`),
    el('span', { class: 'note' }, 'as of ', time(at)),
  ]
}

function unknownSince(known: ConsoleSnapshot | undefined): readonly Child[] {
  return [
    el('span', { class: 'pill bad' }, 'not known'),
    known !== undefined && el('span', { class: 'note' }, 'as of ', time(known.at)),
  ]
}

function problemsOf({ problems }: ConsoleSnapshot): readonly Child[] {
  const known = Object.entries(problems)
  if (known.length === 0) return []
  return [
    el('h2', {}, known.length === 1 ? 'Waiting for one thing' : `Waiting for ${known.length} things`),
    el('ul', {}, ...known.map(([what, why]) => el('li', { 'data-id': what }, el('b', {}, what), ` ${why}`))),
  ]
}
