// Which test file runs when, and where.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { LONG_TEST_FILES } from '../../scripts/long-test-files.ts'
import type { TestLanes } from '../../scripts/test-lanes.ts'
import { laneQueues } from '../../scripts/test-queue.ts'
import { root } from './source-files.ts'

const files = {
  plain: ['p1', 'p2', 'p3', 'test/models/model-swaps.test.ts'],
  onCluster: ['c1', 'c2', 'test/system/replay.test.ts'],
  serial: ['s1', 's2', 'test/chaos/exactly-once.serial.test.ts'],
  takers: new Set<string>(),
}

/** What each lane gets when they take turns. */
function taken(lanes: TestLanes): readonly (readonly string[])[] {
  const queues = laneQueues(files, lanes)
  const got: string[][] = queues.map(() => [])
  for (let isOver = false; !isOver; ) {
    isOver = true
    for (const [lane, next] of queues.entries()) {
      const file = next()
      if (file === undefined) continue
      got[lane]!.push(file)
      isOver = false
    }
  }
  return got
}

test('long ones first; those with clusters in their lanes; elsewhere some of both kinds until the end', () => {
  assert.deepEqual(taken({ all: 3, withClusters: 2 }), [
    ['test/chaos/exactly-once.serial.test.ts', 's2', 'c2', 'p3'],
    ['s1', 'test/models/model-swaps.test.ts', 'p1'],
    ['test/system/replay.test.ts', 'c1', 'p2'],
  ])
})

test('all of them come, in as few lanes as there are', () => {
  for (const lanes of [
    { all: 1, withClusters: 1 },
    { all: 2, withClusters: 1 },
    { all: 3, withClusters: 2 },
  ])
    assert.deepEqual(taken(lanes).flat().toSorted(), [...files.plain, ...files.onCluster, ...files.serial].toSorted())
})

test('those that are said to be long are there', () => {
  assert.deepEqual(
    LONG_TEST_FILES.filter(file => !existsSync(join(root, file))),
    [],
  )
})
