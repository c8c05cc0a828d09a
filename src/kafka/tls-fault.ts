/** The settings that an advice may name. */
export interface TlsSettingNames {
  readonly ca: string
  readonly cert: string
  readonly address: string
}

const FAULTS: readonly (readonly [RegExp, (settings: TlsSettingNames) => string])[] = [
  [
    /altnames|Hostname\/IP does not match/,
    ({ address }) => `Use a name that its certificate has in ${address}, or give it a certificate with this name`,
  ],
  [/has expired|not yet valid/i, () => 'It needs a new certificate, unless the clock of this machine is wrong'],
  [
    /self[- ]signed|unable to (verify|get)|invalid CA/i,
    ({ ca }) => `Name the certificate of the authority that signed its certificate in ${ca}`,
  ],
  [
    /SSL alert|tlsv1\S* alert|No required SSL certificate|SSL certificate error/i,
    ({ cert }) => `It refuses our certificate, or that we have none: look at ${cert}, its dates, and whom it trusts`,
  ],
  [
    /wrong version number|packet length too long|http request|unknown protocol|record layer/i,
    ({ address }) => `What listens there does not speak TLS: look at the port in ${address}`,
  ],
  [/SSL routines|certificate/i, ({ ca, cert }) => `Look at ${ca} and ${cert}`],
]

const NETWORK_ERRORS = /\b(?:ECONN[A-Z]+|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|E(?:HOST|NET)(?:UNREACH|DOWN)|EPIPE)\b/

/**
 * What is wrong with a TLS connection and what to look at, from the text of its error: undefined when it is about something
 * else, such as a connection that broke. Trying again mends none of these.
 */
export function tlsFault(text: string, settings: TlsSettingNames): string | undefined {
  // The name of a host may hold any of these words.
  if (NETWORK_ERRORS.test(text)) return undefined
  const advice = FAULTS.find(([pattern]) => pattern.test(text))?.[1](settings)
  return advice === undefined ? undefined : `${essence(text)}. ${advice}.`
}

/** OpenSSL's errors are lists between colons, with a source file; what was wrong is behind the name of the function. */
function essence(text: string): string {
  const reason = /SSL routines:[^:]*:([^:]+)/.exec(text)?.[1] ?? text
  return reason.trim().replace(/\.$/, '')
}
