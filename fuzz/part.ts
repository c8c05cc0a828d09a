/** Part of a course, in a process of its own; `pool.ts` starts it, and survives it. */
import { writeSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { runCourse, type Tally } from './course.ts'
import type { Fault } from './execution.ts'
import type { TargetSource } from './target.ts'

export interface Order {
  readonly target: string
  readonly seed: number
  readonly from: number
  readonly to: number
}

export type FromChild =
  | { readonly type: 'progress'; readonly tally: Tally }
  | { readonly type: 'fault'; readonly fault: Fault; readonly index: number; readonly base64: string }
  | { readonly type: 'done'; readonly tally: Tally }

/** Opened by the parent: the number of the execution under way stays readable, however this process ends. */
const INDEX_FD = 4
const MAX_TOLD = 50

/** What a process of a pool does: waits for its order, and executes it. */
export function takeOrder(sources: readonly TargetSource[]): void {
  // Ctrl-C on a terminal reaches every process of the group; the parent tells us when to end.
  process.on('SIGINT', () => {})
  process.on('disconnect', () => process.exit(1))
  process.once('message', order => {
    void work(sources, order as Order).catch(error => {
      process.stderr.write(`${(error as Error).stack}\n`)
      process.exit(1)
    })
  })
}

async function work(sources: readonly TargetSource[], { target: name, seed, from, to }: Order): Promise<void> {
  const source = sources.find(each => each.name === name)!
  const target = await source.open()
  const told = new Map<string, number>()
  const index = new Float64Array(1)
  const bytes = new Uint8Array(index.buffer)
  const tally = await runCourse({
    source,
    target,
    seed,
    from,
    to,
    onBegin(now) {
      index[0] = now
      writeSync(INDEX_FD, bytes, 0, bytes.length, 0)
    },
    onFault(fault, input, at) {
      const times = (told.get(fault.what) ?? 0) + 1
      told.set(fault.what, times)
      // The first of a kind; a shorter one may come with a later seed.
      if (times === 1 && told.size <= MAX_TOLD)
        tell({ type: 'fault', fault, index: at, base64: input.toString('base64') })
    },
    async onProgress(now) {
      tell({ type: 'progress', tally: now })
      await turn()
      return process.connected
    },
  })
  await target.close?.()
  tell({ type: 'done', tally })
  process.disconnect()
}

function tell(message: FromChild): void {
  if (process.connected) process.send!(message)
}
