/** A handler that does to its lane what its examples tell it to: everything that a handler can get wrong. */
import { writeSync } from 'node:fs'
import type { CustomHandler, InferenceArgs, Results } from '../../src/models/custom-handler.ts'

/** What an example is: it is given back, unless it says what to do with the whole batch. */
export interface Order {
  readonly id: number
  readonly payload?: unknown
  /** One of DEEDS. */
  readonly do?: string
}

export interface Held {
  readonly modelId: string
  /** Calls of loadModel and unloadModel in this thread so far. */
  readonly loads: number
  readonly unloads: number
  calls: number
}

export class BusyError extends Error {}
class HostileError extends Error {
  override get message(): string {
    throw new Error('not even this')
  }
  override get stack(): never {
    throw new Error('nor this')
  }
}

/** Of this thread so far. */
const counts = { loads: 0, unloads: 0, lateRejections: 0 }

/** What can be asked for; each gets the batch. */
const DEEDS: Readonly<Record<string, (batch: readonly Order[]) => Results<unknown> | Promise<Results<unknown>>>> = {
  few: batch => batch.slice(1),
  many: batch => [...batch, 0, 0],
  nothing: () => undefined as never,
  number: () => 7 as never,
  text: () => 'a text' as never,
  endless: function* () {
    for (;;) yield 1
  },
  generator: function* (batch) {
    yield* batch
  },
  typed: batch => Float64Array.from(batch, each => each.id),
  'generator that throws': function* (batch) {
    yield batch[0]
    throw new RangeError('half-way')
  },
  promise: async batch => batch,
  'slow generator': async function* (batch) {
    for (const each of batch) {
      await new Promise(resolve => setImmediate(resolve))
      yield each
    }
  },
  'slow generator that throws': async function* (batch) {
    yield batch[0]
    throw new RangeError('half-way, later')
  },
  reject: () => Promise.reject(new TypeError('rejected')),
  'throw an error': () => {
    throw new BusyError('an error of a class of its own')
  },
  'throw a text': () => {
    throw 'just a text'
  },
  'throw undefined': () => {
    throw undefined
  },
  'throw null': () => {
    throw null
  },
  'throw an object': () => {
    throw { code: 5 }
  },
  'throw what throws': () => {
    throw new HostileError()
  },
  busy: () => {
    throw new BusyError('come back later')
  },
  'busy, and isTransient throws': () => {
    throw new BusyError('isTransient cannot say')
  },
  'no number': batch => batch.map(() => Number.NaN),
  'a function': batch => batch.map(() => () => 0),
  'promises in a list': batch => batch.map(async each => each),
  'a getter that throws': batch =>
    batch.map(() => ({
      get trap() {
        throw new Error('looked at')
      },
    })),
  'two gigabytes': batch => batch.map(() => ({ bytes: new Uint8Array(2 ** 31) })),
  'sixty megabytes each': batch => batch.map(() => new Uint8Array(60 * 1024 * 1024)),
  'change the batch': batch => {
    const results = batch.map(({ id }) => ({ id }))
    ;(batch as Order[]).length = 0
    return results
  },
  exit: () => process.exit(7),
  'end with words': () => {
    writeSync(2, 'native code: about to fall over\n')
    process.kill(process.pid, 'SIGKILL')
    return []
  },
  'throw where nobody catches': () => {
    setImmediate(() => {
      throw new Error('nobody catches this')
    })
    return new Promise(() => {})
  },
  'leave a promise behind': batch => {
    void Promise.reject(new Error('nobody waits for this'))
    setTimeout(() => {
      counts.lateRejections++
      void Promise.reject(new Error('nor for this'))
    }, 20)
    return batch
  },
  'count what was rejected late': batch => batch.map(() => counts.lateRejections),
  'leave a timer behind': batch => {
    setInterval(() => {}, 1_000)
    return batch
  },
  'wait for what was rejected elsewhere': () => {
    void Promise.reject(new Error('the connection was closed'))
    return new Promise(() => {})
  },
  loop: () => {
    for (;;);
  },
  'never settle': () => new Promise(() => {}),
}

export class ObedientHandler implements CustomHandler<Order, unknown, Held> {
  readonly name: string
  readonly modelId = 'obedient/1'
  readonly #bytes: number

  constructor(name: string, bytes = 8) {
    this.name = name
    this.#bytes = bytes
  }

  loadModel(modelId: string): Held {
    counts.loads++
    return { modelId, loads: counts.loads, unloads: counts.unloads, calls: 0 }
  }

  runInference(
    batch: readonly Order[],
    model: Held,
    inferenceArgs?: InferenceArgs,
  ): Results<unknown> | Promise<Results<unknown>> {
    model.calls++
    const deed = batch.find(each => each.do !== undefined)?.do
    if (deed !== undefined) return DEEDS[deed]!(batch)
    return batch.map(example => ({ example, model: { ...model }, inferenceArgs }))
  }

  unloadModel(): void {
    counts.unloads++
    if (this.name === 'clumsy') throw new Error('it does not let go')
  }

  isTransient(error: unknown): boolean {
    if (error instanceof Error && error.message === 'isTransient cannot say') throw new Error('cannot say')
    return error instanceof BusyError && error.message === 'come back later'
  }

  getNumBytes(batch: readonly Order[]): number {
    if (this.name === 'clumsy') throw new Error('it cannot count')
    return batch.length * this.#bytes
  }

  controlBatch(): readonly Order[] {
    return [{ id: -1 }, { id: -2 }]
  }
}
