/**
 * Import this before a lane's code: sessions then do to their worker what native code does at night.
 * A run with a row whose first number is one of DEADLY ends its thread or process, never returns, or loses the device for good.
 * While the environment says DEADLY_LOADS, loads do the same: its value is one of the names of DEADLY.
 */
import { writeSync } from 'node:fs'
import { InferenceSession, type Tensor } from 'onnxruntime-node'

/** What a row begins with, and what that does. */
export const DEADLY = { exit: 66_601, throw: 66_602, kill: 66_603, hang: 66_604, device: 66_605 } as const
type Death = keyof typeof DEADLY

type Native = (...args: unknown[]) => Promise<unknown>
const sessions = InferenceSession as unknown as { create: Native; readonly prototype: { run: Native } }
const { create } = sessions
const { run } = sessions.prototype
let isDeviceLost = false

sessions.create = async (...args) => {
  const death = process.env.DEADLY_LOADS as Death | undefined
  if (death) await die(death)
  return create.apply(InferenceSession, args)
}
sessions.prototype.run = async function (...args) {
  if (isDeviceLost) await die('device')
  for (const { data, dims } of Object.values(args[0] as Record<string, Tensor>)) {
    const width = data.length / (dims[0] ?? 1)
    for (let at = 0; at < data.length; at += width) {
      for (const [death, mark] of Object.entries(DEADLY)) if (data[at] === mark) await die(death as Death)
    }
  }
  return run.apply(this, args)
}

async function die(death: Death): Promise<void> {
  if (death === 'device') {
    isDeviceLost = true
    throw new Error('WebGPU device lost (1): the driver was reset')
  }
  if (death === 'exit') process.exit(7)
  if (death === 'kill') {
    writeSync(1, 'this is no frame\n')
    writeSync(2, 'native code: about to fall over\n')
    process.kill(process.pid, 'SIGKILL')
  }
  if (death === 'throw') {
    setImmediate(() => {
      throw new Error('nobody catches this')
    })
    await new Promise(() => {})
  }
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000)
}
