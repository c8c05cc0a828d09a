/** Entry of a lane's worker thread: messages in order of arrival, and a natural end after `close`, never inside native code. */
import { parentPort } from 'node:worker_threads'
import { createLaneHost } from './lane.ts'
import { sharedNow } from './lane-clock.ts'
import { movableBuffers, type ToLane } from './lane-messages.ts'

const port = parentPort
if (!port) throw new Error('lane-worker is the entry of a worker thread; start it through createThreadExecutor')

const host = createLaneHost(sharedNow)
let last: Promise<void> = Promise.resolve()

port.on('message', (message: ToLane) => {
  last = last.then(async () => {
    const reply = await host.serve(message)
    port.postMessage(reply, movableBuffers(reply))
    if (message.type === 'close') port.close()
  })
})
