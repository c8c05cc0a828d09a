import { RunInferenceError } from '../errors.ts'
import { loadSettings } from '../load-settings.ts'
import type { HealthReport } from '../ops/run-health.ts'
import { settingFlag, settingVariable } from '../settings-names.ts'

/** The parent of several workers asks each of them in turn. */
const ANSWER_MS = 10_000
/** An address to listen on that is none to call. */
const LOOPBACK: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }
const PORT_WAYS = `${settingFlag('httpPort')} or ${settingVariable('httpPort')}`

export interface ResumeFlags {
  readonly httpHost?: string
  readonly httpPort?: string
  readonly config?: string
  readonly json?: boolean
}

/** Lets an instance go on after a halt. Rejects SETTINGS_INVALID without a port to ask at, INSTANCE_UNAVAILABLE when none answers there. */
export async function resume(flags: ResumeFlags): Promise<void> {
  const url = addressOf(flags)
  const { problems } = await ask<Pick<HealthReport, 'problems'>>(url, '/readyz', [200, 503])
  const reasons = Object.fromEntries(Object.entries(problems).filter(([what]) => /(^|: )halted$/.test(what)))
  const { resumed } = await ask<{ readonly resumed: boolean }>(url, '/resume', [200, 409], { method: 'POST' })
  if (flags.json === true) {
    console.log(JSON.stringify({ url, resumed, reasons }))
    return
  }
  console.log(resumed ? `${url} goes on. It was halted:` : `${url} was not halted: nothing to do`)
  if (resumed) for (const [what, why] of Object.entries(reasons)) console.log(`  ${what}: ${why}`)
}

function addressOf(flags: ResumeFlags): string {
  // Brokers are a setting that has to be there, and nobody asks them here.
  const { httpHost, httpPort } = loadSettings({
    flags: { httpHost: flags.httpHost, httpPort: flags.httpPort },
    configFile: flags.config,
    fallbacks: { brokers: ['not-asked:1'] },
  })
  if (httpPort === 'off' || httpPort === 0) {
    const what = `httpPort is ${httpPort}: expected the port on which the instance listens; its log says which ("health and metrics")`
    throw new RunInferenceError('SETTINGS_INVALID', `${what}. Give it with ${PORT_WAYS}`)
  }
  const host = LOOPBACK[httpHost] ?? httpHost
  return `http://${host.includes(':') ? `[${host}]` : host}:${httpPort}`
}

async function ask<T>(url: string, path: string, statuses: readonly number[], init: RequestInit = {}): Promise<T> {
  const response = await fetch(new URL(path, url), { ...init, signal: AbortSignal.timeout(ANSWER_MS) }).catch(
    (error: Error) => {
      const why = (error.cause as Error | undefined)?.message || error.message
      const next = `start the instance, or name its port: ${PORT_WAYS}; on another machine, --http-host`
      throw new RunInferenceError('INSTANCE_UNAVAILABLE', `no instance answers at ${url}${path} (${why}): ${next}`, {
        cause: error,
      })
    },
  )
  const text = await response.text()
  const answer = json(text)
  if (statuses.includes(response.status) && answer !== undefined) return answer as T
  const got = `HTTP ${response.status} ${text.slice(0, 200)}`
  throw new RunInferenceError(
    'INSTANCE_UNAVAILABLE',
    `${url}${path}: expected the answer of an instance of kri run, got ${got}`,
  )
}

function json(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined // Something else listens there: the caller says what it answered.
  }
}
