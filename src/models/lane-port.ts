import type { MessagePort } from 'node:worker_threads'
import type { LaneHost } from './lane.ts'
import type { FromLane, ToLane } from './lane-messages.ts'

/**
 * Lets a lane's code serve the messages of a port, one by one in order of arrival. A reply has left before the next call
 * begins: whatever that call does to the thread or the process, it is not blamed on the one before. Ends with `close`.
 */
export function serveInOrder(
  port: MessagePort,
  host: LaneHost,
  send: (reply: FromLane, message: ToLane) => void,
): void {
  let last: Promise<void> = Promise.resolve()
  port.on('message', (message: ToLane) => {
    last = last.then(async () => {
      send(await host.serve(message), message)
      if (message.type === 'close') port.close()
    })
  })
}
