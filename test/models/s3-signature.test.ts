// The examples of AWS's documentation, "Signature Calculations for the Authorization Header" (S3 API reference), that have no query.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { encodeS3Key, type SignedRequest, signS3 } from '../../src/models/s3-signature.ts'

const CREDENTIALS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
}
const NOW = Date.UTC(2013, 4, 24)
const HOST = 'examplebucket.s3.amazonaws.com'

function sign(request: Partial<SignedRequest>, credentials: Parameters<typeof signS3>[1] = CREDENTIALS) {
  return signS3({ method: 'GET', host: HOST, path: '/', headers: {}, ...request }, credentials, 'us-east-1', NOW)
}

describe('a signature', () => {
  test('of "GET Object" is the published one', () => {
    assert.equal(
      sign({ path: '/test.txt', headers: { range: 'bytes=0-9' } }).authorization,
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,' +
        'SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,' +
        'Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    )
  })

  test('of "PUT Object", with a body and a key that is encoded, is the published one', () => {
    const { authorization } = sign({
      method: 'PUT',
      path: `/${encodeS3Key('test$file.text')}`,
      headers: { date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
      bodySha256: createHash('sha256').update('Welcome to Amazon S3.').digest('hex'),
    })
    assert.equal(
      authorization?.split('SignedHeaders=')[1],
      'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,' +
        'Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    )
  })

  test('changes with every part of the request and of the credentials', () => {
    const seen = [
      sign({}),
      sign({ path: '/a' }),
      sign({ host: 'other' }),
      sign({ headers: { 'if-none-match': '"x"' } }),
      sign({}, { ...CREDENTIALS, secretAccessKey: 'x' }),
      sign({}, { ...CREDENTIALS, sessionToken: 'of an hour' }),
    ].map(({ authorization }) => authorization!.split('Signature=')[1])
    assert.equal(new Set(seen).size, seen.length)
    assert.equal(sign({}, { ...CREDENTIALS, sessionToken: 'of an hour' })['x-amz-security-token'], 'of an hour')
  })

  test('the secret is in none of the headers', () => {
    assert.ok(!JSON.stringify(sign({})).includes(CREDENTIALS.secretAccessKey))
  })
})

describe('a key in a path', () => {
  test('has every byte but unreserved ones and slashes encoded, once', () => {
    assert.equal(encodeS3Key("a b/é+%20!'()*~_.-/$"), 'a%20b/%C3%A9%2B%2520%21%27%28%29%2A~_.-/%24')
  })

  test('is what a server decodes it to', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), key => {
        const encoded = encodeS3Key(key)
        assert.match(encoded, /^[A-Za-z0-9\-._~/%]*$/)
        assert.equal(decodeURIComponent(encoded), key)
      }),
    )
  })
})
