/** Asks the server. Reading needs nothing; what changes something carries the token, which is asked for when it is first needed. */
import type {
  ConsoleAbout,
  GroupsView,
  LetterView,
  ProblemView,
  PublishRequest,
  ReplayPlanView,
  ReplayRequest,
  ReplayView,
  RevisionView,
  SelectionQuery,
  SlotRequest,
  WholeLetterView,
} from '../console-api.ts'
import { Problem } from './problem.ts'
import { toParameters } from './selection.ts'
import { forgetToken, token } from './token.ts'

/** Beside the page, wherever a proxy has put it. */
const ROOT = 'api'

export const readAbout = (): Promise<ConsoleAbout> => get('about', new URLSearchParams())
// Scans that nobody waits for any more are ended by their signal: the server runs few at a time.
export const readGroups = (selection: SelectionQuery, signal?: AbortSignal): Promise<GroupsView> =>
  get('dlq/groups', toParameters(selection), signal)
export const readLetter = (place: string, signal: AbortSignal): Promise<WholeLetterView> =>
  get('dlq/letter', new URLSearchParams({ place }), signal)
export function readLetters(
  selection: SelectionQuery,
  limit: number,
  signal: AbortSignal,
): Promise<readonly LetterView[]> {
  const parameters = toParameters(selection)
  parameters.set('limit', String(limit))
  return get('dlq/letters', parameters, signal)
}

export const dryRun = (request: ReplayRequest, signal: AbortSignal): Promise<ReplayPlanView> =>
  post('dlq/replay', { ...request, yes: false }, signal)
export const replay = (request: ReplayRequest): Promise<ReplayView> => post('dlq/replay', { ...request, yes: true })
export const cancelReplay = (name: string): Promise<unknown> => post('dlq/cancel', { name })
export const publishModel = (request: PublishRequest): Promise<RevisionView> => post('models/publish', request)
export const changeSlot = (what: 'rollback' | 'promote' | 'abort', request: SlotRequest): Promise<RevisionView> =>
  post(`models/${what}`, request)

function get<T>(path: string, parameters: URLSearchParams, signal: AbortSignal | null = null): Promise<T> {
  const query = parameters.toString()
  return answerOf(
    fetch(`${ROOT}/${path}${query === '' ? '' : `?${query}`}`, { headers: { accept: 'application/json' }, signal }),
  )
}

/** A token that is refused is asked for again; throws `Declined` when the person gives none. */
async function post<T>(path: string, body: unknown, signal: AbortSignal | null = null): Promise<T> {
  for (let refused = false; ; refused = true) {
    const authorization = `Bearer ${await token(refused)}`
    try {
      return await answerOf<T>(
        fetch(`${ROOT}/${path}`, {
          method: 'POST',
          headers: { accept: 'application/json', authorization, 'content-type': 'application/json' },
          body: JSON.stringify(body),
          signal,
        }),
      )
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error
      forgetToken()
    }
  }
}

async function answerOf<T>(asked: Promise<Response>): Promise<T> {
  let response: Response
  try {
    response = await asked
  } catch {
    throw new Problem(
      { code: '', message: 'The server cannot be reached. Nothing is known of what became of this.' },
      0,
    )
  }
  const text = await response.text()
  if (response.ok) return (text === '' ? undefined : JSON.parse(text)) as T
  throw new Problem(problemOf(text) ?? { code: '', message: `The server answered ${response.status}` }, response.status)
}

function problemOf(text: string): ProblemView | undefined {
  try {
    const { code, message } = JSON.parse(text) as Partial<ProblemView>
    return typeof message === 'string' ? { code: code ?? '', message } : undefined
  } catch {
    // Not ours: a proxy in between. The status says more than its page.
    return undefined
  }
}
