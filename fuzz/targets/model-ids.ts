/** Ids of published models, and the roots that they must be beneath. */
import { resolve, sep } from 'node:path'
import { locateModel } from '../../src/models/model-location.ts'
import { requireInside, rootsOf } from '../../src/models/model-roots.ts'
import { encodeS3Key } from '../../src/models/s3-signature.ts'
import { must, type Target, type TargetSource } from '../target.ts'

const SEEDS = [
  '/srv/models/digits.onnx',
  'file:///srv/models/digits%20v2.onnx',
  '/srv/models/../../etc/passwd',
  'https://models.example.com/digits/v1.onnx',
  'https://models.example.com:443/digits/../v1.onnx',
  'https://u:p@models.example.com/digits/v1.onnx?sig=x',
  's3://models/digits/v1 +%25.onnx',
  's3://models/digits/../other/v1.onnx',
  's3://models/digits/v2/é.onnx',
]
const TOKENS = [
  ...[
    '..',
    '.',
    '/',
    '\\',
    '%2e',
    '%2f',
    '%5c',
    '%25',
    '%00',
    '\0',
    '\n',
    ';',
    '?',
    '#',
    '@',
    ':',
    '//',
    '[::1]',
    '0x7f.1',
  ],
  ...[
    'file:',
    'file://',
    'http://',
    'HTTPS://',
    's3://',
    'C:',
    'models',
    'digits',
    '/srv/models',
    '。',
    '／',
    '\u202e',
  ],
]

/** What any server that decodes, however often, would take the path for. */
function decodedWhole(path: string): string {
  let text = path
  for (let i = 0; i < 12; i++)
    text = text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return text
}

export const modelIds: TargetSource = {
  name: 'model-ids',
  about: 'ids of published models: paths, addresses and objects',
  open: (): Target => {
    const roots = rootsOf(['/srv/models', 'https://models.example.com/digits', 's3://models/digits'])
    return {
      seeds: SEEDS.map(text => Buffer.from(text)),
      tokens: TOKENS.map(text => Buffer.from(text)),
      codes: ['MODEL_UNUSABLE'],
      run(bytes) {
        const id = bytes.toString()
        const location = locateModel(id)
        if (location.scheme === 'file') must(location.path === resolve(location.path), 'a path is absolute and plain')
        requireInside(id, location, roots)
        switch (location.scheme) {
          case 'file':
            must(location.path === '/srv/models' || location.path.startsWith(`/srv/models${sep}`), 'the path is inside')
            must(!location.path.includes('\0'), 'a path holds no zero')
            break
          case 'http': {
            const { protocol, host, pathname, search, username, password } = location.url
            must(protocol === 'https:' && host === 'models.example.com', 'the host is the one of the root')
            must(search === '' && username === '' && password === '', 'there are no credentials')
            const segments = decodedWhole(pathname).split(/[/\\]/)
            must(segments[1] === 'digits' && !segments.includes('..'), 'no server finds a step upwards')
            break
          }
          case 's3': {
            must(location.bucket === 'models', 'the bucket is the one of the root')
            must(location.key === 'digits' || location.key.startsWith('digits/'), 'the key is inside')
            const path = encodeS3Key(location.key)
            must(new URL(`https://h/models/${path}`).pathname === `/models/${path}`, 'the path is sent as it is signed')
          }
        }
      },
    }
  },
}
