/** What is answered under `/console/api/`, without a word of HTTP. */
import { RunInferenceError } from '../errors.ts'
import type { ConsoleAbout } from './console-api.ts'
import {
  limitOf,
  placeOfQuery,
  publishRequest,
  replayName,
  replayRequest,
  selectionQuery,
  slotRequest,
} from './console-requests.ts'
import type { ConsoleSource } from './console-source.ts'

export interface ConsoleRequest {
  readonly query: URLSearchParams
  /** JSON of a POST. */
  readonly body: unknown
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal
}

export interface ConsoleRoute {
  readonly method: 'GET' | 'POST'
  /** Below `/console/api/`. */
  readonly path: string
  /** Undefined: there is no such thing. */
  answer(request: ConsoleRequest): object | undefined | Promise<object | undefined>
}

/** Scans of dead letters at one time: each reads whole topics. */
const MAX_SCANS = 2
/** Changes of models at one time: each loads models in a process of its own. */
const MAX_CHANGES = 2

export function consoleRoutes(source: ConsoleSource, canChange: boolean): readonly ConsoleRoute[] {
  const { letters, replays, models } = source
  const scan = limited(MAX_SCANS, 'scans of dead letters run already: try again when one is done, or select by time')
  const change = limited(MAX_CHANGES, 'changes of models are under way already: try again when one is done')
  const about = (): ConsoleAbout => ({ ...source.about(), canChange })
  return [
    { method: 'GET', path: 'about', answer: about },
    {
      method: 'GET',
      path: 'dlq/groups',
      answer: ({ query, signal }) => scan(() => letters.groups(selectionQuery(query), signal)),
    },
    {
      method: 'GET',
      path: 'dlq/letters',
      answer: ({ query, signal }) => scan(() => letters.letters(selectionQuery(query), limitOf(query), signal)),
    },
    {
      method: 'GET',
      path: 'dlq/letter',
      answer: ({ query, signal }) => letters.letter(placeOfQuery(query), signal),
    },
    {
      method: 'POST',
      path: 'dlq/replay',
      answer: ({ body, signal }) => {
        const request = replayRequest(body)
        return request.yes === true ? replays.start(request) : scan(() => replays.plan(request, signal))
      },
    },
    {
      method: 'POST',
      path: 'dlq/cancel',
      answer: async ({ body }) => {
        const name = replayName(body)
        await replays.cancel(name)
        return { name }
      },
    },
    {
      method: 'POST',
      path: 'models/publish',
      answer: ({ body }) => change(() => models.publish(publishRequest(body))),
    },
    ...(['rollback', 'promote', 'abort'] as const).map(
      (what): ConsoleRoute => ({
        method: 'POST',
        path: `models/${what}`,
        answer: ({ body }) => change(() => models.change(what, slotRequest(body))),
      }),
    ),
  ]
}

function limited(max: number, busy: string): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0
  return async work => {
    if (running >= max) throw new RunInferenceError('CONSOLE_BUSY', `${max} ${busy}`)
    running++
    try {
      return await work()
    } finally {
      running--
    }
  }
}
