/**
 * How a connection logs in, with kafkajs's mechanisms where they are sound. Two things are mended.
 *
 * L1 kafkajs takes every failure during a login for a refusal. A connection that breaks meanwhile is an outage (I10); it
 *    comes out as what it was.
 * L2 With OAUTHBEARER a broker says no in an answer that is no error, and kafkajs does not read it: the refused token
 *    seems to work until the connection is closed. Here it is read.
 */
import { RunInferenceError } from '../errors.ts'
import { type SaslExchange, type SaslMessage, type SaslProvider, saslProviders } from './internals.ts'

/** How this client proves who it is. Passwords and tokens are never logged. */
export type SaslOptions =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
      readonly username: string
      readonly password: string
    }
  | {
      readonly mechanism: 'oauthbearer'
      /** A token that is valid now; asked for with each new connection, and when a broker ends a session. */
      readonly oauthBearerProvider: () => Promise<{ readonly value: string }>
    }

/** For kafkajs's connections: the options, with the way to log in. */
export function saslSettings(options: SaslOptions): object {
  return { mechanism: options.mechanism, authenticationProvider: loginWith(options) }
}

function loginWith(options: SaslOptions): SaslProvider {
  if (options.mechanism === 'oauthbearer') return exchange => ({ authenticate: () => sendToken(options, exchange) })
  const provider = saslProviders[options.mechanism](options)
  return exchange => {
    let failure: unknown
    const saslAuthenticate: SaslExchange['saslAuthenticate'] = message =>
      exchange.saslAuthenticate(message).catch((error: unknown) => {
        failure = error
        throw error
      })
    const login = provider({ ...exchange, saslAuthenticate })
    return {
      authenticate: () =>
        login.authenticate().catch((error: unknown) => {
          throw failure ?? error
        }),
    }
  }
}

/** RFC 7628: the token; an empty answer is a yes, and anything else says why not, to be answered before the end. */
async function sendToken(
  { oauthBearerProvider }: Extract<SaslOptions, { mechanism: 'oauthbearer' }>,
  { saslAuthenticate }: SaslExchange,
): Promise<void> {
  const { value } = await oauthBearerProvider().catch((error: unknown) => {
    throw RunInferenceError.from(error, 'BROKER_UNAVAILABLE', 'No token for OAUTHBEARER can be had')
  })
  const answer = await saslAuthenticate(message(`n,,\u0001auth=Bearer ${value}\u0001\u0001`))
  const reason = answer.subarray(LENGTH_BYTES).toString('utf8')
  if (reason === '') return
  // Its answer is the refusal that is told here.
  await saslAuthenticate(message('\u0001')).catch(() => {})
  throw new RunInferenceError('AUTHORISATION', `The broker refuses the token: ${reason}`)
}

const LENGTH_BYTES = 4

/** A message of a login and its answer, each behind its length. */
function message(text: string): SaslMessage {
  const bytes = Buffer.from(text)
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeInt32BE(bytes.length)
  const asItIs = async (answer: Buffer) => answer
  return {
    request: { encode: async () => Buffer.concat([length, bytes]) },
    response: { decode: asItIs, parse: asItIs },
  }
}
