/**
 * What the server tells by itself: a snapshot every second or two, and whether it can be heard. The browser connects again when a
 * connection ends; where it gives up, and where nothing is heard though the connection stands, this does.
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

/** Begins to listen, until the page is closed. */
export function listen({ onSnapshot, onProblem, onConnection }: Live): void {
  let silence: ReturnType<typeof setTimeout> | undefined
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
  const connect = () => {
    const source = new EventSource('api/events')
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
