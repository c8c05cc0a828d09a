import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createFileWatch, newestOf, type WatchedFile } from '../../src/refresh/watch-files.ts'

const file = (path: string, modifiedMs: number, version = 0): WatchedFile => {
  return { path, sizeBytes: 1, modifiedMs, arrivedMs: modifiedMs, mark: `${modifiedMs} ${version}` }
}

/** What is done to the files between two looks. */
type Act = { readonly kind: 'write' | 'copy' | 'remove'; readonly path: string }

const act: fc.Arbitrary<Act> = fc.record({
  kind: fc.constantFrom('write', 'copy', 'remove'),
  path: fc.constantFrom('a', 'b', 'c'),
})
/** Looks, each after a few acts: none of them leaves everything as it was. */
const course = fc.array(fc.array(act, { maxLength: 2 }), { maxLength: 20 })

/** Every look of a course, with what was there at it. */
function looksOf(acts: readonly (readonly Act[])[]) {
  const watch = createFileWatch()
  const files = new Map<string, WatchedFile>()
  let time = 0
  return acts.map(before => {
    for (const { kind, path } of before) {
      time++
      if (kind === 'remove') files.delete(path)
      // A copy may keep the time of what it was made of.
      else files.set(path, file(path, kind === 'write' ? time : 0, time))
    }
    const there = [...files.values()]
    return { there, look: watch.look(there) }
  })
}

describe('watching files', () => {
  test('a file that is there at the start is handed out at the second look, once', () => {
    const watch = createFileWatch()
    const there = [file('old', 1), file('new', 2)]
    assert.deepEqual(
      [1, 2, 3].map(() => watch.look(there).kind),
      ['unstable', 'new', 'known'],
    )
  })

  test('nothing is waited for, and told', () => {
    const watch = createFileWatch()
    assert.deepEqual(watch.look([]), { kind: 'nothing' })
    watch.look([file('a', 1)])
    assert.equal(watch.look([file('a', 1)]).kind, 'new')
    assert.deepEqual(watch.look([]), { kind: 'nothing' })
  })

  test('an overwritten file is a new one, when it is no longer written', () => {
    const watch = createFileWatch()
    for (const modified of [1, 1]) watch.look([file('a', modified)])
    const kinds = [2, 3, 3, 3].map(modified => watch.look([file('a', modified)]).kind)
    assert.deepEqual(kinds, ['unstable', 'unstable', 'new', 'known'])
  })

  test('also one that was put in its place with an older time', () => {
    const watch = createFileWatch()
    for (const at of [5, 5]) watch.look([file('a', at)])
    assert.deepEqual(
      [1, 2].map(() => watch.look([file('a', 3, 1)]).kind),
      ['unstable', 'new'],
    )
  })

  test('what could not be dealt with is handed out again', () => {
    const watch = createFileWatch()
    const there = [file('a', 1)]
    watch.look(there)
    watch.look(there)
    watch.again(there[0]!)
    assert.deepEqual(watch.look(there), { kind: 'new', file: there[0] })
    assert.equal(watch.look(there).kind, 'known')
  })

  test('removing the newest file brings no older one back', () => {
    const watch = createFileWatch()
    const [old, young] = [file('old', 1), file('young', 2)]
    for (const there of [
      [old, young],
      [old, young],
    ])
      watch.look(there)
    assert.deepEqual(
      [1, 2, 3].map(() => watch.look([old]).kind),
      ['known', 'known', 'known'],
    )
    assert.deepEqual(
      [1, 2].map(() => watch.look([file('old', 1, 1)]).kind),
      ['unstable', 'new'],
    )
  })

  test('W1, W2, W3: what is handed out is the newest, was the same a look before, and comes once', () => {
    fc.assert(
      fc.property(course, acts => {
        const looks = looksOf(acts)
        const handed = new Set<string>()
        for (const [i, { there, look }] of looks.entries()) {
          if (look.kind !== 'new') continue
          assert.deepEqual(look.file, newestOf(there))
          assert.ok(looks[i - 1]!.there.some(({ path, mark }) => path === look.file.path && mark === look.file.mark))
          const id = `${look.file.path} ${look.file.mark}`
          assert.ok(!handed.has(id))
          handed.add(id)
        }
      }),
    )
  })

  test('W4: a file that stood behind another one is not handed out as it is', () => {
    fc.assert(
      fc.property(course, acts => {
        const behind = new Set<string>()
        for (const { there, look } of looksOf(acts)) {
          if (look.kind === 'new') assert.ok(!behind.has(`${look.file.path} ${look.file.mark}`))
          const newest = newestOf(there)
          for (const { path, mark } of there) if (path !== newest?.path) behind.add(`${path} ${mark}`)
        }
      }),
    )
  })

  test('when all is quiet, the newest file has been handed out, unless it stood behind another one', () => {
    fc.assert(
      fc.property(course, acts => {
        const looks = looksOf([...acts, [], []])
        const newest = newestOf(looks.at(-1)!.there)
        if (newest === undefined) return
        const isIt = (each: WatchedFile | undefined) => each?.path === newest.path && each.mark === newest.mark
        const wasHanded = looks.some(({ look }) => look.kind === 'new' && isIt(look.file))
        const wasBehind = looks.some(({ there }) => there.some(isIt) && !isIt(newestOf(there)))
        assert.ok(wasHanded || wasBehind)
      }),
    )
  })
})
