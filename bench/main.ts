/** `npm run bench [-- --json] [--only NAME] [--quick]`: runs the subjects on a broker of this machine; see README.md. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { startCluster } from '../src/cluster/cluster.ts'
import type { KafkaPort } from '../src/kafka/port.ts'
import { badRows } from './bad-rows.ts'
import { check } from './check.ts'
import { profileInto } from './child.ts'
import { conditions, DEFAULT_LANES } from './conditions.ts'
import { benchLogger, connect } from './connect.ts'
import { deadLetters } from './dead-letters.ts'
import { digits } from './digits.ts'
import { type Figure, table } from './figures.ts'
import { gpu } from './gpu.ts'
import { guarantee } from './guarantee.ts'
import { idle } from './idle.ts'
import { isolation } from './isolation.ts'
import { latency } from './latency.ts'
import { memory } from './memory.ts'
import { pipelineMid, pipelineSmall } from './pipeline.ts'
import { refresh } from './refresh.ts'
import { refreshWebgpu } from './refresh-webgpu.ts'
import { sessions } from './sessions.ts'
import { WrongOutput } from './setting.ts'
import { shapes } from './shapes.ts'
import { smallBefore } from './small-before.ts'
import { startup } from './startup.ts'
import { workers } from './workers.ts'

const SUBJECTS = [
  pipelineSmall,
  pipelineMid,
  ...shapes,
  badRows,
  smallBefore,
  digits,
  isolation,
  latency,
  idle,
  ...guarantee,
  refresh,
  refreshWebgpu,
  deadLetters,
  memory,
  gpu,
  sessions,
  workers,
  startup,
  check,
]

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string', multiple: true, default: [] },
    lanes: { type: 'string', default: String(DEFAULT_LANES) },
    provenance: { type: 'string', default: 'on' },
    profile: { type: 'string' },
    before: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

// What is the name of a subject means that one alone, and else all that begin so.
const isMeant = (name: string, only: string) =>
  SUBJECTS.some(each => each.name === only) ? name === only : name.startsWith(only)
const chosen = SUBJECTS.filter(
  ({ name }) => options.only.length === 0 || options.only.some(only => isMeant(name, only)),
)
if (options.help || chosen.length === 0) {
  console.log(`npm run bench [-- --json] [--only NAME]... [--quick] [--rounds N] [--lanes N] [--provenance on|off] [--profile FOLDER] [--before FOLDER]

${SUBJECTS.map(({ name, about }) => `  ${name.padEnd(16)} ${about}`).join('\n')}

--quick is for a look: fewer records and rounds. --profile keeps a CPU profile of every process that is measured.
--before is another checkout of this repository, with its node_modules, for pipeline-shapes/small.`)
  process.exit(options.help ? 0 : 1)
}

const lanes = Number(options.lanes)
const rounds = options.rounds === undefined ? undefined : Number(options.rounds)
const provenance = options.provenance !== 'off'
const say = (line: string) => console.error(`  ${line}`)
const folder = mkdtempSync(join(tmpdir(), 'kri-bench-'))
if (options.profile !== undefined) profileInto(options.profile)
const cluster = chosen.every(({ withoutBrokers }) => withoutBrokers)
  ? undefined
  : await startCluster({
      brokers: 1,
      registry: chosen.some(({ needsRegistry }) => needsRegistry),
      logger: benchLogger,
      onProgress: ({ text }) => say(text),
    })
const port = cluster && connect(cluster.brokers, 'bench')
const facts = {
  ...conditions(lanes, cluster === undefined || cluster.local !== undefined),
  provenance,
  quick: options.quick,
}
if (options.json) console.log(JSON.stringify({ name: 'conditions', ...facts }))
else
  console.error(
    Object.entries(facts)
      .map(([name, value]) => `${name}: ${value}`)
      .join(', '),
  )

const figures: Figure[] = []
try {
  for (const subject of chosen) {
    say(`${subject.name}: ${subject.about}`)
    const found = await subject.run({
      brokers: cluster?.brokers ?? [],
      registryUrl: cluster?.registryUrl,
      // Without brokers there are only subjects that touch neither.
      port: port as KafkaPort,
      folder,
      lanes,
      provenance,
      quick: options.quick,
      before: options.before === undefined ? undefined : resolve(options.before),
      rounds,
      say,
    })
    figures.push(...found)
    for (const figure of found) console.log(JSON.stringify(figure))
  }
} catch (error) {
  if (!(error instanceof WrongOutput)) throw error
  console.error(`wrong output: ${error.message}`)
  process.exitCode = 1
} finally {
  await port?.close()
  await cluster?.stop()
  rmSync(folder, { recursive: true })
}
if (!options.json) {
  const quick = options.quick ? '\nA quick run: fewer records and rounds than the documented figures.' : ''
  console.log(`\n${table(figures)}\n${quick}`)
}
