/**
 * What the server tells by itself: a snapshot every second or two, and whether it can be heard. The browser connects again when a
 * connection ends; where it gives up, and where nothing is heard though the connection stands, this does. A tab that nobody sees lets go
 * after a minute: a browser has few connections to one server for all its tabs, and a forgotten one costs the server nothing.
 */
import type { ConsoleSnapshot, ProblemView } from '../console-api.ts'

/** `lost`: what is shown is old. */
export type Connection = 'connecting' | 'live' | 'lost'

export interface Live {
  readonly onSnapshot: (snapshot: ConsoleSnapshot) => void
  /** The server is there, and cannot tell how things are. */
  readonly onProblem: (problem: ProblemView) => void
  readonly onConnection: (connection: Connection) => void
}

const SILENCE_MS = 40_000
const AGAIN_MS = 3000
const UNSEEN_MS = 60_000

/** Begins to listen, until the page is closed. */
export function listen({ onSnapshot, onProblem, onConnection }: Live): void {
  let silence: ReturnType<typeof setTimeout> | undefined
  let unseen: ReturnType<typeof setTimeout> | undefined
  let current: EventSource | undefined
  let rests = false
  const heard = (source: EventSource) => {
    clearTimeout(silence)
    silence = setTimeout(() => again(source), SILENCE_MS)
  }
  const again = (source: EventSource) => {
    clearTimeout(silence)
    source.close()
    onConnection('lost')
    setTimeout(connect, AGAIN_MS)
  }
  const rest = () => {
    rests = true
    clearTimeout(silence)
    current?.close()
    onConnection('lost')
  }
  document.addEventListener('visibilitychange', () => {
    clearTimeout(unseen)
    if (document.hidden) unseen = setTimeout(rest, UNSEEN_MS)
    else if (rests) {
      rests = false
      connect()
    }
  })
  const connect = () => {
    if (rests) return
    current?.close()
    const source = new EventSource('api/events')
    current = source
    heard(source)
    source.addEventListener('snapshot', event => {
      heard(source)
      onConnection('live')
      onSnapshot(JSON.parse((event as MessageEvent<string>).data) as ConsoleSnapshot)
    })
    source.addEventListener('problem', event => {
      heard(source)
      onConnection('live')
      onProblem(JSON.parse((event as MessageEvent<string>).data) as ProblemView)
    })
    source.addEventListener('error', () => {
      if (source.readyState === EventSource.CLOSED) again(source)
      else onConnection('lost')
    })
  }
  onConnection('connecting')
  connect()
}
