import type { FingerprintView, LetterView, WholeLetterView } from '../../src/console/console-api.ts'

const HOSTILE = '<script>alert("xss")</script>'

export const FIXTURE_GROUPS: readonly FingerprintView[] = [
  {
    fingerprint: '0123456789ab',
    stage: 'preprocess',
    step: 'classify',
    code: 'FUNCTION_THREW',
    message: 'pixels has # values, expected #',
    count: 403,
    open: 403,
    firstAt: '2026-01-31T02:58:11.000Z',
    lastAt: '2026-01-31T03:10:42.000Z',
    replayedBefore: 2,
    example: 'digits.classify.failed-preprocess/1/42',
  },
  {
    fingerprint: 'ba9876543210',
    stage: 'inference',
    step: 'classify',
    code: 'INFERENCE_FAILED',
    message: `the model refuses this row: ${HOSTILE}`,
    count: 17,
    open: 0,
    firstAt: '2026-01-30T11:00:00.000Z',
    lastAt: '2026-01-30T11:02:00.000Z',
    replayedBefore: 0,
    example: 'digits.classify.failed-inference/0/7',
  },
]

/** Newest first, 60 of them. */
export function fixtureLetters(): readonly LetterView[] {
  return Array.from({ length: 60 }, (_, i) => {
    const group = FIXTURE_GROUPS[i % 7 === 3 ? 1 : 0]!
    return {
      place: `digits.classify.failed-${group.stage}/${i % 4}/${200 - i}`,
      failedAt: new Date(Date.parse('2026-01-31T03:10:42.000Z') - i * 12_000).toISOString(),
      stage: group.stage,
      step: 'classify',
      code: group.code,
      message: i % 7 === 3 ? `the model refuses this row: ${HOSTILE}` : `pixels has ${i} values, expected 64`,
      modelId: i % 7 === 3 ? 'models/digits-mlp-v1.onnx' : null,
      key: i === 5 ? HOSTILE : i === 6 ? null : `image-${i}`,
      original: `digits.images/${i % 4}/${90_000 + i}`,
      replayCount: i % 5 === 0 ? 1 : 0,
      fingerprint: group.fingerprint,
    }
  })
}

/** The value of every second one cannot be decoded. */
export function fixtureLetter(place: string): WholeLetterView | undefined {
  const letter = fixtureLetters().find(each => each.place === place) ?? { ...fixtureLetters()[0]!, place }
  if (!place.startsWith('digits.')) return undefined
  const isDecoded = Number(place.split('/')[2]) % 2 === 0
  return {
    ...letter,
    errorType: 'RangeError',
    stack: 'RangeError: pixels has 3 values, expected 64\n    at normalise (topologies/digits.ts:12:9)',
    attempt: 1,
    headers: [
      ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
      ['x-<b>bold</b>', HOSTILE],
    ],
    ...(isDecoded
      ? { decoded: JSON.stringify({ id: 'image-1', pixels: [0, 0.5, 1], note: HOSTILE }, null, 2) }
      : {
          undecoded: {
            why: '[DECODE_MAGIC_BYTE] expected the magic byte 0, got 60',
            hex: '00000000  3c 73 63 72 69 70 74 3e  61 6c 65 72 74 28 31 29  |<script>alert(1)|',
          },
        }),
    bytes: 214,
  }
}
