/**
 * Who may ask the console for what. A page that somebody else wrote runs in the same browser as the operator's, and can send
 * requests to any address: these checks are what such requests do not pass.
 *
 * G1. The name in `Host` is an address, `localhost`, or one that was allowed: a foreign name that resolves to here is refused.
 * G2. What changes anything comes from the console's own page: same origin, JSON, and the token, which no browser sends by itself.
 * G3. Without a token in the settings nothing can be changed.
 * G4. Pages of other sites ask for nothing of the API, though they could not read it: a scan and a stream cost something.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import type { ProblemView } from './console-api.ts'

export interface ConsoleAccess {
  /** Names, beside addresses and localhost, under which the console may be asked. */
  readonly hosts: readonly string[]
  /** Undefined: nothing can be changed. */
  readonly token: string | undefined
}

export interface Refusal {
  readonly status: number
  readonly problem: ProblemView
}

export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
}

/** What is wrong with a request before anything else is looked at; undefined: nothing. */
export function refusalOfHost({ host }: IncomingHttpHeaders, { hosts }: ConsoleAccess): Refusal | undefined {
  const name = hostNameOf(host)
  if (name === undefined) return refusal(400, 'the header Host names no host')
  const isAddress = isIP(name.replace(/^\[|\]$/g, '')) !== 0
  if (isAddress || name === 'localhost' || name.endsWith('.localhost')) return undefined
  if (hosts.some(allowed => allowed.toLowerCase() === name)) return undefined
  return refusal(
    403,
    `the console does not answer under the name ${name}. Use the address of its machine, or allow the name: --console-hosts or KRI_CONSOLE_HOSTS`,
  )
}

/** The same for any that is of the API: what the page asks for it asks itself. */
export function refusalOfAsking({ 'sec-fetch-site': site }: IncomingHttpHeaders): Refusal | undefined {
  if (site === undefined || site === 'same-origin' || site === 'none') return undefined
  return refusal(403, 'asked by a page that is none of this console')
}

/** The same for one that may change something. */
export function refusalOfChange(headers: IncomingHttpHeaders, { token }: ConsoleAccess): Refusal | undefined {
  if (token === undefined)
    return refusal(403, 'nothing can be changed here: start it with a token, KRI_CONSOLE_TOKEN or --console-token-file')
  if (!isSameOrigin(headers)) return refusal(403, 'changes are taken from the page of this console only')
  const [contentType] = (headers['content-type'] ?? '').split(';')
  if (contentType!.trim().toLowerCase() !== 'application/json') return refusal(415, 'expected application/json')
  const given = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
  if (given === undefined) return refusal(401, 'expected Authorization: Bearer, with the token of this console')
  return isEqual(given, token) ? undefined : refusal(401, 'this is not the token of this console')
}

export function refusal(status: number, message: string): Refusal {
  return { status, problem: { code: 'CONSOLE_REFUSED', message: `[CONSOLE_REFUSED] ${message}` } }
}

function isSameOrigin({ origin, host, 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  if (site !== undefined && site !== 'same-origin') return false
  const from = URL.parse(origin ?? '')
  if (from === null || !/^https?:$/.test(from.protocol) || from.origin !== origin) return false
  // Of the same scheme, since behind a proxy that speaks TLS this side does not know it.
  return URL.parse(`${from.protocol}//${host}`)?.host === from.host
}

/** In lower case, without the port. */
function hostNameOf(host: string | undefined): string | undefined {
  if (host === undefined || !/^(\[[0-9a-f:.]+\]|[\w.-]+)(:\d{1,5})?$/i.test(host)) return undefined
  return host.replace(/:\d+$/, '').replace(/\.$/, '').toLowerCase()
}

/** Takes as long whatever differs. */
function isEqual(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(expected))
}
