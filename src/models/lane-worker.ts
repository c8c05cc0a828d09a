/** Entry of a lane's worker thread; it ends after `close`, never inside native code. */
import { parentPort } from 'node:worker_threads'
import { createLaneHost } from './lane.ts'
import { sharedNow } from './lane-clock.ts'
import { movableBuffers } from './lane-messages.ts'
import { serveInOrder } from './lane-port.ts'
import { moduleHandlers } from './module-handlers.ts'

const port = parentPort
if (!port) throw new Error('lane-worker is the entry of a worker thread; start it through createThreadExecutor')
serveInOrder(port, createLaneHost(sharedNow, moduleHandlers()), reply => port.postMessage(reply, movableBuffers(reply)))
