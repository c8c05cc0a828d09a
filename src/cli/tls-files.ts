import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { type Problem, problemsError } from '../problem.ts'

/** PEM texts as node:tls takes them. */
export interface TlsFiles {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly passphrase?: string
}

/** The settings that name the files, by what they hold, each with its value. */
export interface TlsSettings {
  readonly ca: NamedFile
  readonly cert: NamedFile
  readonly key: NamedFile
  readonly password: string | undefined
}
interface NamedFile {
  readonly setting: string
  readonly path: string | undefined
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g
const REMEDY = 'Correct the file, or the setting'

/**
 * Reads certificates and key, and looks at what would otherwise fail at every connection: throws SETTINGS_INVALID with all
 * problems, naming setting and file.
 */
export function readTlsFiles({ ca, cert, key, password }: TlsSettings): TlsFiles {
  const problems: Problem[] = []
  const note = ({ setting, path }: NamedFile, expected: string, got: string, remedy = REMEDY) => {
    problems.push({ where: `${setting} (${path})`, what: 'the file cannot be used', expected, got, remedy })
    return undefined
  }

  function text(file: NamedFile, expected: string): string | undefined {
    if (file.path === undefined) return undefined
    try {
      return readFileSync(file.path, 'utf8')
    } catch (error) {
      return note(file, expected, `none that can be read (${(error as NodeJS.ErrnoException).code})`)
    }
  }

  /** The first of the certificates, all of which can be read. */
  function certificate(file: NamedFile, pem: string): X509Certificate | undefined {
    const expected = 'certificates in PEM'
    const found = pem.match(CERTIFICATE)
    if (found === null) return note(file, expected, 'a file without "-----BEGIN CERTIFICATE-----"')
    try {
      return found.map(each => new X509Certificate(each))[0]
    } catch {
      return note(file, expected, 'one that is no certificate behind its first line')
    }
  }

  function privateKey(pem: string): KeyObject | undefined {
    const expected = 'a private key in PEM'
    if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem))
      return note(key, expected, 'a file without "-----BEGIN PRIVATE KEY-----"')
    try {
      return createPrivateKey({ key: pem, ...(password === undefined ? {} : { passphrase: password }) })
    } catch {
      const isEncrypted = /-----BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED/.test(pem)
      if (!isEncrypted) return note(key, expected, 'a key that cannot be read')
      return password === undefined
        ? note(key, expected, 'an encrypted one', 'Set tlsKeyPasswordFile or tlsKeyPassword')
        : note(key, expected, 'an encrypted one that tlsKeyPassword does not open', 'Correct tlsKeyPassword')
    }
  }

  const texts = {
    ca: text(ca, 'certificates in PEM'),
    cert: text(cert, 'certificates in PEM'),
    key: text(key, 'a private key in PEM'),
  }
  if (texts.ca !== undefined) certificate(ca, texts.ca)
  const own = texts.cert === undefined ? undefined : certificate(cert, texts.cert)
  const ownKey = texts.key === undefined ? undefined : privateKey(texts.key)
  if (own && ownKey && !own.checkPrivateKey(ownKey))
    note(key, `the private key of the first certificate of ${cert.path} (${cert.setting})`, 'the key of another one')
  const files = Object.fromEntries(Object.entries(texts).filter(([, pem]) => pem !== undefined)) as TlsFiles
  const given = password === undefined || files.key === undefined ? files : { ...files, passphrase: password }
  if (problems.length === 0) {
    try {
      createSecureContext(given)
    } catch (error) {
      note(cert.path === undefined ? ca : cert, 'what OpenSSL accepts', (error as Error).message)
    }
  }
  if (problems.length > 0) throw problemsError('SETTINGS_INVALID', 'the settings have', problems)
  return given
}
