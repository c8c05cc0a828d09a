/** Starts the page: learns what it shows, listens, and opens the page that the address names. */
import type { ConsoleAbout, ConsoleSnapshot } from '../console-api.ts'
import { readAbout } from './api.ts'
import { el, setChildren } from './elements.ts'
import { createFrame } from './frame.ts'
import { createHistory } from './history.ts'
import { listen } from './live.ts'
import type { Page } from './page.ts'
import { problemText } from './problem.ts'
import { routeOf } from './routes.ts'

const AGAIN_MS = 3000

async function start(): Promise<void> {
  const about = await untilKnown()
  const frame = createFrame(about)
  const history = createHistory()
  let newest: ConsoleSnapshot | undefined
  let page: Page | undefined

  const show = (isFirst: boolean) => {
    page?.close?.()
    // What a dialog is about was on the page before.
    for (const dialog of document.querySelectorAll('dialog')) dialog.close()
    const { route, parameters } = routeOf(location.hash)
    page = route.open({ about, history, parameters })
    const heading = el('h1', { tabindex: -1 }, page.title)
    setChildren(frame.main, heading, ...page.content)
    frame.at(route.path, page.title)
    if (newest !== undefined) page.update?.(newest)
    if (isFirst) return
    // Who hears the page hears where they are; who sees it starts at its top.
    heading.focus({ preventScroll: true })
    scrollTo(0, 0)
  }
  addEventListener('hashchange', () => show(false))
  show(true)
  // The first snapshot of a connection has no rates yet.
  let hasRates = false
  listen({
    onSnapshot(snapshot) {
      newest = snapshot
      if (hasRates) history.add(snapshot)
      hasRates = true
      frame.update(snapshot)
      page?.update?.(snapshot)
    },
    onProblem: problem => frame.problem(problem),
    onConnection(connection) {
      if (connection !== 'live') hasRates = false
      frame.connection(connection)
    },
  })
}

/** Says why it waits. */
async function untilKnown(): Promise<ConsoleAbout> {
  for (;;) {
    try {
      return await readAbout()
    } catch (error) {
      const waiting = el('p', { class: 'problem', role: 'alert' }, `${problemText(error)} Trying again.`)
      setChildren(document.body, el('main', {}, el('h1', {}, 'Console'), waiting))
      await new Promise(resolve => setTimeout(resolve, AGAIN_MS))
    }
  }
}

await start()
