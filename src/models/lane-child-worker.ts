/**
 * Entry of the thread that runs the models in a lane's child process. It writes its replies itself and waits until they are
 * in the pipe: what a later call does to the process cannot take them along.
 */
import { writevSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import type { LoadedModel } from './executor.ts'
import { createLaneHost } from './lane.ts'
import { REPLIES_FD } from './lane-child-pipes.ts'
import { sharedNow } from './lane-clock.ts'
import { replyFrame } from './lane-frames.ts'
import { serveInOrder } from './lane-port.ts'
import { moduleHandlers } from './module-handlers.ts'
import { frameStart } from './pipe-frames.ts'
import type { Regions } from './slots.ts'

const port = parentPort
if (!port) throw new Error('lane-child-worker is the entry of a worker thread; lane-child starts it')

const models = new Map<number, LoadedModel>()
const slots: Regions[] = []

serveInOrder(port, createLaneHost(sharedNow, moduleHandlers()), (reply, message) => {
  // A device that is lost is lost to this process, but not to the next one.
  if (reply.type === 'failed' && reply.error.code === 'WORKER_LOST') throw new Error(reply.error.message)
  if (message.type === 'load' && reply.type === 'loaded') models.set(message.model, reply.loaded)
  if (message.type === 'unload') models.delete(message.model)
  if (message.type === 'run' && message.regions) slots[message.slot] = message.regions
  const { head, body } = replyFrame(reply, () => {
    if (message.type !== 'run') throw new Error(`'${reply.type}' answers a '${message.type}'`)
    return { run: message, regions: slots[message.slot]!, model: models.get(message.model)! }
  })
  const bodyBytes = body.reduce((sum, { length }) => sum + length, 0)
  writeAll([frameStart(head, bodyBytes), ...body.filter(({ length }) => length > 0)])
})

function writeAll(parts: readonly Uint8Array[]): void {
  let left = parts
  while (left.length > 0) {
    let written = writevSync(REPLIES_FD, left)
    let done = 0
    while (done < left.length && written >= left[done]!.length) written -= left[done++]!.length
    left = left.slice(done)
    if (written > 0) left = [left[0]!.subarray(written), ...left.slice(1)]
  }
}
