/**
 * AWS Signature Version 4 for requests to S3-compatible stores, in the one form that is needed: signed headers, a path that is
 * sent as it is signed, no query. Libraries that sign guess services and regions, or decode and encode paths on the way,
 * which is where keys with %, + and spaces go wrong; what is left without that is this page, held against the examples that AWS
 * publishes.
 */
import { createHash, createHmac } from 'node:crypto'

export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Of temporary credentials. */
  readonly sessionToken?: string
}

export interface SignedRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT'
  /** With the port, unless it is the usual one. */
  readonly host: string
  /** Encoded, as it is sent. */
  readonly path: string
  /** By names in small letters; all are signed. */
  readonly headers: Readonly<Record<string, string>>
  /** Of the body, hexadecimal; default: of an empty one. */
  readonly bodySha256?: string
}

const EMPTY_SHA256 = createHash('sha256').digest('hex')
const ALGORITHM = 'AWS4-HMAC-SHA256'

/** The headers to send: those given, and what the signature needs. `nowMs`: since 1970; stores refuse what is 15 minutes off. */
export function signS3(
  request: SignedRequest,
  { accessKeyId, secretAccessKey, sessionToken }: S3Credentials,
  region: string,
  nowMs: number,
): Record<string, string> {
  const time = new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const day = time.slice(0, 8)
  const bodySha256 = request.bodySha256 ?? EMPTY_SHA256
  const headers: Record<string, string> = {
    ...request.headers,
    host: request.host,
    'x-amz-content-sha256': bodySha256,
    'x-amz-date': time,
    ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
  }
  const names = Object.keys(headers).sort()
  const signedHeaders = names.join(';')
  const lines = names.map(name => `${name}:${headers[name]!.trim().replaceAll(/ +/g, ' ')}`)
  const canonical = [request.method, request.path, '', ...lines, '', signedHeaders, bodySha256].join('\n')
  const scope = `${day}/${region}/s3/aws4_request`
  const text = [ALGORITHM, time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n')
  const key = [day, region, 's3', 'aws4_request'].reduce(hmac, Buffer.from(`AWS4${secretAccessKey}`))
  const signature = hmac(key, text).toString('hex')
  const authorization = `${ALGORITHM} Credential=${accessKeyId}/${scope},SignedHeaders=${signedHeaders},Signature=${signature}`
  return { ...headers, authorization }
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

/** A key as it stands in a path: every byte but unreserved ones encoded once, slashes kept. */
export function encodeS3Key(key: string): string {
  const encode = (segment: string) =>
    encodeURIComponent(segment).replaceAll(/[!'()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
  return key.split('/').map(encode).join('/')
}
