/**
 * Entry of a lane's child process. This thread reads requests into memory that it shares with the thread that runs the
 * models, so that the next batch arrives while one is in native code.
 *
 * 1. The child does not outlive its parent: when the requests end it is gone at once, whatever the other thread is doing.
 * 2. It ends after `close`, when the other thread has, with nothing left in native code.
 * 3. Signals that are meant for the application are left to the parent, which drains first.
 */
import { Socket } from 'node:net'
import { REQUESTS_FD } from './lane-child-pipes.ts'
import { RequestReader } from './lane-frames.ts'
import { besideThis, openThread } from './lane-thread.ts'
import { FrameReader } from './pipe-frames.ts'

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

let closing = false
const { post } = openThread(
  besideThis('lane-child-worker'),
  process.argv[2] ?? 'lane',
)({
  // The thread writes its replies to the pipe.
  reply: () => {},
  ended(how) {
    if (closing) process.exit(0)
    process.stderr.write(`${how}\n`)
    process.exit(1)
  },
})

const requests = new RequestReader()
const frames = new FrameReader({
  body: head => requests.body(head as Parameters<RequestReader['body']>[0]),
  complete() {
    closing ||= requests.message.type === 'close'
    post(requests.message)
  },
})

const socket = new Socket({
  fd: REQUESTS_FD,
  readable: true,
  writable: false,
  onread: {
    buffer: () => frames.room(),
    callback(bytes) {
      frames.filled(bytes)
      return true
    },
  },
})
socket.on('error', endAtOnce)
socket.on('end', endAtOnce)
socket.on('close', endAtOnce)

function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL')
}
