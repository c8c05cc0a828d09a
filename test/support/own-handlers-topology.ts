// Handlers of one's own in every place that they can run in; a record tells them what to do.
import { setTimeout as sleep } from 'node:timers/promises'
import {
  from,
  json,
  type KV,
  keyed,
  kv,
  modelHandler,
  predictionResult,
  text,
  topology,
  withParameters,
} from 'kafka-run-inference'

export interface Job {
  readonly n: number
  readonly do?: string
}

type Answer = ReturnType<typeof predictionResult<Job, number>>

const times = (
  name: string,
  factor: number,
  options: { readonly isolation: 'thread' | 'process'; readonly timeoutMs?: number },
) =>
  modelHandler<Job, Answer, { readonly factor: number }>({
    ...options,
    name,
    loadModel: () => ({ factor }),
    async runInference(batch, model) {
      // Not in a thread, whose standard output is that of the application.
      if (options.isolation === 'process') process.stdout.write(`${name} prints what is no frame\n`)
      for (const { do: what } of batch) {
        if (what === `${name}: throw`) throw new RangeError('no thanks')
        if (what === `${name}: exit`) process.exit(7)
        if (what === `${name}: hang`) await sleep(60_000)
      }
      return batch.map(job => predictionResult(job, job.n * model.factor, name))
    },
    controlBatch: () => [{ n: 1 }],
  })

const small = (job: Job): Job => {
  if (job.do === 'function: spin') for (;;);
  return job
}
const codecs = { key: json<string>(), value: json<Answer>() }
const apart = times('apart', 3, { isolation: 'process', timeoutMs: 60_000 })
const perKey = keyed([
  { keys: ['a'], handler: times('of-a', 5, { isolation: 'thread' }) },
  { keys: ['b'], handler: times('of-b', 7, { isolation: 'process' }) },
])

export default withParameters({ prefix: text('of the topics') }, ({ prefix }) => {
  const jobs = from(`${prefix}jobs`, { key: json<string>(), value: json<Job>() })
  const results = [
    jobs.runInference(
      'threaded',
      keyed(times('threaded', 2, { isolation: 'thread' })).withPreprocess(({ key, value }: KV<string, Job>) =>
        kv(key, small(value)),
      ),
      { functions: 'worker', functionTimeoutMs: 2_000 },
    ),
    jobs.runInference('apart', keyed(apart)),
    jobs.runInference('per-key', perKey),
  ] as const
  const names = ['threaded', 'apart', 'per-key']
  return topology(
    `${prefix}own`,
    results.map((result, i) => result.to(`${prefix}${names[i]}`, codecs)),
  )
})
