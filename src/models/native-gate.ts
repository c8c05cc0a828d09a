/**
 * Whether a lane's thread is inside native code, where its end would abort the process. The thread says so around each call, in
 * a word of memory that it shares with whoever may end it; of the two that want to change it, one comes first.
 */
const OUTSIDE = 0
const INSIDE = 1
const ENDING = 2

export type NativeGate = Int32Array<SharedArrayBuffer>

let gate: NativeGate = makeGate()
let calls = 0

/** One for each thread, made by whoever starts it. */
export function makeGate(): NativeGate {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
}

/** In the thread, before its first call: this is its gate. Without, it has one that nobody closes. */
export function useGate(given: NativeGate): void {
  gate = given
}

/** Makes a call into native code. Never settles in a thread that is being ended. */
export async function inNative<T>(call: () => Promise<T>): Promise<T> {
  if (calls === 0 && Atomics.compareExchange(gate, 0, OUTSIDE, INSIDE) === ENDING) return new Promise(() => {})
  calls++
  try {
    return await call()
  } finally {
    calls--
    if (calls === 0) Atomics.store(gate, 0, OUTSIDE)
  }
}

/** From outside. True: the thread is not inside, and will not be again; it can be ended. */
export function closeGate(of: NativeGate): boolean {
  return Atomics.compareExchange(of, 0, OUTSIDE, ENDING) !== INSIDE
}
