import { LONG_TEST_FILES } from './long-test-files.ts'
import type { TestFiles } from './test-files.ts'
import type { TestLanes } from './test-lanes.ts'

/**
 * For each lane what gives it its next file, or undefined when it is done. Those with clusters of their own come first in the lanes
 * that take them. Of the others, half of the lanes begin with those on the shared cluster, which mostly wait, and half with those that
 * need none, which mostly work: so there is some of both until the end.
 */
export function laneQueues(files: TestFiles, lanes: TestLanes): readonly (() => string | undefined)[] {
  const serial = longestFirst(files.serial)
  const onCluster = longestFirst(files.onCluster)
  const plain = longestFirst(files.plain)
  return Array.from({ length: lanes.all }, (_, lane) => {
    const others = lane % 2 === 0 ? [onCluster, plain] : [plain, onCluster]
    const queues = lane < lanes.withClusters ? [serial, ...others] : others
    return () => queues.find(queue => queue.length > 0)?.shift()
  })
}

function longestFirst(files: readonly string[]): string[] {
  const long = LONG_TEST_FILES.filter(file => files.includes(file))
  return [...long, ...files.filter(file => !long.includes(file))]
}
