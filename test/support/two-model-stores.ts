// Two loopback stores for the tests of a file, emptied after each test, and what a refused model leaves behind.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { after, afterEach } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import type { WantedModel } from '../../src/models/model-source.ts'
import { makeSource, startModelStore } from './model-store.ts'

export const BYTES = readFileSync('models/digits-mlp-v1.onnx')
export const SHA256 = createHash('sha256').update(BYTES).digest('hex')

type RefusedOptions = Parameters<typeof makeSource>[1] & { readonly signal?: AbortSignal }

/** They are closed when the file is done. `serve`, `ok` and `refused` are about the first. */
export async function twoModelStores() {
  const [store, other] = await Promise.all([startModelStore(), startModelStore()])
  after(() => Promise.all([store.close(), other.close()]))
  afterEach(() => {
    for (const { routes, requests } of [store, other]) {
      routes.clear()
      requests.length = 0
    }
  })

  const serve = (path: string, answer: (response: ServerResponse) => void) =>
    store.routes.set(path, (_, response) => answer(response))
  const ok = (path: string) => serve(path, response => response.end(BYTES))

  /** Fetches /models/a.onnx, which must fail like this; resolves to the message. */
  async function refused(
    code: string,
    text: RegExp,
    model: Partial<WantedModel> = {},
    options: RefusedOptions = {},
  ): Promise<string> {
    using source = makeSource([`${store.origin}/models/`], options)
    const wanted = { modelId: `${store.origin}/models/a.onnx`, ...model }
    const error = await source.fetch(wanted, options.signal).then(
      () => assert.fail('it was taken'),
      error => error,
    )
    assert.ok(error instanceof RunInferenceError && error.code === code, String(error))
    assert.match(error.message, text)
    assert.match(error.message, /a\.onnx|…/)
    const left = readdirSync(source.cacheFolder)
    assert.deepEqual(left, [], 'nothing of it stays in the cache')
    return error.message
  }

  return { store, other, serve, ok, refused }
}
