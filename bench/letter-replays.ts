/** `kri dlq replay --yes` without a rate, all of them each time, in both guarantees by turns. */
import { parseAudit } from '../src/dead-letters/replay-audit.ts'
import type { GroupMember, KafkaPort } from '../src/kafka/port.ts'
import { auditTopic, replayTopic } from '../src/kafka/topic-names.ts'
import { createQuietWaits } from './conditions.ts'
import { memberOptions } from './connect.ts'
import { against, type Figure, median, round, speed } from './figures.ts'
import type { Program } from './kri.ts'
import { type CommandRun, measured } from './measured-command.ts'
import { pair } from './pair.ts'
import { type Setting, WrongOutput } from './setting.ts'

const TARGET = 20_000
const GUARANTEES = ['at_least_once', 'exactly_once'] as const
type Guarantee = (typeof GUARANTEES)[number]

export interface ReplayOrder {
  readonly program: Program
  readonly module: string
  readonly flags: readonly string[]
  readonly records: number
  readonly rounds: number
  readonly applicationId: string
  readonly source: string
}

/** `runSeconds`: from the audit that it has begun to the audit that it has ended. */
type Replay = CommandRun & { readonly runSeconds: number }

export async function measureReplays(setting: Setting, order: ReplayOrder): Promise<Figure[]> {
  const { port, quick, say } = setting
  const { rounds, records, applicationId, source } = order
  const member = await idleMember(port, applicationId, [source, replayTopic(applicationId, source)])
  const quiet = createQuietWaits(quick)
  const runs: Record<Guarantee, Replay[]> = { at_least_once: [], exactly_once: [] }
  for (let i = 0; i < rounds; i++) {
    const one = async (guarantee: Guarantee) => {
      await quiet.wait()
      const run = await replayAll(setting, order, `${guarantee}-${i}`, guarantee)
      runs[guarantee].push(run)
      const speed = round(records / run.runSeconds)
      say(`dead-letters ${guarantee} ${i + 1}/${rounds}: ${speed} records/s, ${Math.round(run.peakMiB)} MiB`)
    }
    await pair(
      i,
      () => one(GUARANTEES[0]),
      () => one(GUARANTEES[1]),
    )
  }
  await member.stop()
  return GUARANTEES.map(guarantee => {
    const own = runs[guarantee]
    const speeds = own.map(({ runSeconds }) => records / runSeconds)
    return {
      name: `dead-letters/replay-${guarantee}`,
      ...speed(speeds),
      records,
      commandSeconds: round(median(own.map(({ seconds }) => seconds))),
      cpuMicrosPerRecord: round(median(own.map(({ cpuSeconds }) => (cpuSeconds * 1e6) / records))),
      peakMiB: round(Math.max(...own.map(({ peakMiB }) => peakMiB))),
      disturbed: quiet.disturbed(),
      ...against(median(speeds), '>=', TARGET, ' records/s'),
    }
  })
}

async function replayAll(setting: Setting, order: ReplayOrder, name: string, guarantee: Guarantee): Promise<Replay> {
  const { program, module, flags, records, applicationId, source } = order
  const { port } = setting
  const topic = replayTopic(applicationId, source)
  const before = await port.admin.offsets(topic)
  const args = ['dlq', 'replay', module, ...flags, `--name=${name}`, `--guarantee=${guarantee}`, '--yes', '--json']
  const run = await measured(setting, program, args)
  const { counts } = JSON.parse(run.output) as { counts: { replayed: number } }
  const ranges = before.map(({ end }, partition) => ({ topic, partition, from: end, to: 'end' as const }))
  let written = 0
  for await (const block of port.scan(ranges)) written += block.count
  if (counts.replayed !== records || written !== records)
    throw new WrongOutput(
      `${name}: ${written} of ${records} dead letters were replayed, and ${counts.replayed} counted`,
    )
  return { ...run, runSeconds: await audited(port, auditTopic(applicationId), name) }
}

async function audited(port: KafkaPort, topic: string, name: string): Promise<number> {
  const times: number[] = []
  for await (const block of port.scan([{ topic, partition: 0, from: 'earliest', to: 'end' }]))
    for (let row = 0; row < block.count; row++) {
      const record = parseAudit(block.value(row)!, `${topic}/0/${block.offset(row)}`)
      if (record.run === name) times.push(Date.parse(record.at))
    }
  return (times.at(-1)! - times[0]!) / 1_000
}

/** A replay wants somebody who reads what it writes. It is here and reads nothing, so that the replay alone is measured. */
async function idleMember(port: KafkaPort, groupId: string, topics: readonly string[]): Promise<GroupMember> {
  const sources = topics.map(topic => ({ topic, start: 'earliest' as const }))
  const member: GroupMember = port.member(
    { ...memberOptions(groupId, topics[0]!), sources },
    {
      onAssigned: partitions => {
        for (const partition of partitions) member.pause(partition)
      },
      onLost() {},
      onBlock() {},
      onRebalance: async () => {},
      onState() {},
      onFatal: error => {
        throw error
      },
    },
  )
  await member.start()
  return member
}
