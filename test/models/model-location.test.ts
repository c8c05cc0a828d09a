// What a published id means, and that no text means more than it shows.
import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { describe, test } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { hasSteps, locateModel, nameOf } from '../../src/models/model-location.ts'
import { requireInside, rootsOf, rootsOfTopology } from '../../src/models/model-roots.ts'

function refused(modelId: string, text: RegExp): void {
  assert.throws(
    () => locateModel(modelId),
    (error: unknown) => {
      assert.ok(error instanceof RunInferenceError && error.code === 'MODEL_UNUSABLE', String(error))
      assert.match(error.message, text)
      return true
    },
    modelId,
  )
}

function isAllowed(modelId: string, ...roots: readonly string[]): boolean {
  try {
    requireInside(modelId, locateModel(modelId), rootsOf(roots))
    return true
  } catch (error) {
    assert.match(String(error), /MODEL_UNUSABLE.*modelRoots/)
    return false
  }
}

describe('a published id', () => {
  test('is a path, a file, an address or an object', () => {
    assert.deepEqual(locateModel('models/a.onnx'), { scheme: 'file', path: resolve('models/a.onnx') })
    assert.deepEqual(locateModel('/m/./x/../a.onnx'), { scheme: 'file', path: '/m/a.onnx' })
    assert.deepEqual(locateModel('file:///m/a%20b%3F.onnx'), { scheme: 'file', path: '/m/a b?.onnx' })
    const { href } = (locateModel('HTTPS://Models.Example.com:443/a/./b%20c.onnx') as { url: URL }).url
    assert.equal(href, 'https://models.example.com/a/b%20c.onnx')
    assert.deepEqual(locateModel('s3://my-bucket/a/b+c%2F?#.onnx'), {
      scheme: 's3',
      bucket: 'my-bucket',
      key: 'a/b+c%2F?#.onnx',
    })
    assert.equal(nameOf(locateModel('https://h/a/b.onnx')), 'b.onnx')
  })

  test('of another scheme, or of a drive, is refused', () => {
    for (const id of ['ftp://h/a', 'data:,x', 'javascript:x', 'gs://b/k', 'C:\\models\\a.onnx', 'c:/a.onnx', 'blob:x'])
      refused(id, /got the scheme/)
  })

  test('with control characters is refused, encoded ones too', () => {
    for (const id of ['a\0.onnx', 's3://bucket/a\nb', 'https://h/a\tb', 'file:///a%00b', 'https://h/a%00b', '\ud800'])
      refused(id, /control characters/)
  })

  test('that says nothing, or too much, is refused', () => {
    refused('', /empty/)
    refused('x'.repeat(3000), /3000 characters/)
    for (const id of [
      'https://',
      'http://a b/',
      'file://h/a',
      'file:a',
      'file:///%ff',
      's3:bucket/x',
      's3:///x',
      's3://bucket',
      's3://B/k',
    ])
      refused(id, /it is|expected|host|no key/)
  })

  test('with a user, a password or a query is refused, and these are not shown', () => {
    for (const id of ['https://u:swordfish@h/a', 'https://u@h/a']) refused(id, /holds a user or password/)
    for (const id of ['https://h/a?X-Amz-Signature=x', 'https://h/a?', 'https://h/a#b', 'file:///a?b'])
      refused(id, /query/)
    assert.throws(
      () => locateModel('https://u:swordfish@h/a'),
      (error: Error) => !error.message.includes('swordfish'),
    )
  })

  test('with steps that only a server would see is refused', () => {
    for (const path of [
      '..%2fx',
      '%2e%2e%2fx',
      '%252e%252e/x',
      '..%5cx',
      'a%2f..',
      '..;x/y',
      '%25252e%25252e/x',
      '.%252e/x',
    ])
      refused(`https://h/models/${path}`, /encoded steps/)
    for (const key of ['../x', 'a/./b', 'a/..', '..', 'a\\..\\b']) refused(`s3://bucket/${key}`, /holds steps/)
    assert.equal(hasSteps('/models/a%20b%25.onnx'), false)
  })
})

describe('a root', () => {
  test('holds what is beneath it, at the border of a segment', () => {
    assert.ok(isAllowed('/m/x/a.onnx', '/m') && isAllowed('/m/a', '/m/') && isAllowed('file:///m/a', '/m'))
    assert.ok(isAllowed('/m/a.onnx', 'file:///m') && isAllowed('/m/a.onnx', '/m/a.onnx') && isAllowed('/a', '/'))
    assert.ok(!isAllowed('/m2/a', '/m') && !isAllowed('/m/../etc/passwd', '/m') && !isAllowed('/', '/m'))
    assert.ok(isAllowed('https://h/m/a', 'https://h/m') && isAllowed('https://h/a', 'https://h'))
    assert.ok(!isAllowed('https://h/m2/a', 'https://h/m') && !isAllowed('https://h/m/../a', 'https://h/m'))
    assert.ok(!isAllowed('https://h/m/%2e%2e/a', 'https://h/m/'))
    assert.ok(isAllowed('s3://bucket/p/k', 's3://bucket') && isAllowed('s3://bucket/p/k', 's3://bucket/p/'))
    assert.ok(!isAllowed('s3://bucket/p2/k', 's3://bucket/p') && !isAllowed('s3://bucket2/p/k', 's3://bucket'))
  })

  test('is of one scheme, host and port', () => {
    const places = ['https://h/a', 'http://h/a', 'https://h:8443/a', 'https://h.evil.example/a', '/a', 's3://abc/a']
    for (const place of places)
      for (const root of places) assert.equal(isAllowed(place, root), place === root, `${place} beneath ${root}`)
  })

  test('is, without settings, the folder of a model that the topology declares', () => {
    const uris = ['models/a.onnx', 'https://h/m/a.onnx', 's3://bucket/p/a.onnx', 'any name', 'gs://what']
    const own = rootsOfTopology(uris, undefined)
    assert.deepEqual(own.texts, [resolve('models'), 'https://h/m/', 's3://bucket/p/', process.cwd()])
    assert.deepEqual(rootsOfTopology([], undefined).texts, [])
    assert.deepEqual(rootsOfTopology(['models/a.onnx'], ['/srv']).texts, ['/srv', 'models/a.onnx'])
  })
})
