/** Replays one dead letter as somebody has edited it. The letter itself stays; the audit says who changed what, and why. */
import { replayTopic } from '../kafka/topic-names.ts'
import type { EditedLetter, LetterEdit } from './letter-edit.ts'
import { placeOf } from './letter-text.ts'
import type { AuditEdit } from './replay-audit.ts'
import { ReplayClaim } from './replay-claim.ts'
import { type ReplayWish, refused } from './replay-order.ts'
import type { ReplayParts } from './replay-parts.ts'
import { outputTopics, readersRefusal, refuseUnless, targetRefusal } from './replay-targets.ts'

/** Throws REPLAY_REFUSED where nobody would read it, or what is made of it could take the place of what is newer. */
export async function checkEdit(
  given: ReplayParts,
  { letter }: Pick<LetterEdit, 'letter'>,
  { allowStale = false }: Pick<ReplayWish, 'allowStale'>,
): Promise<void> {
  const parts = { ...given, topology: given.topology.whole ?? given.topology }
  const selection = letter.step === null ? {} : { steps: [letter.step] }
  const target = { kind: 'replay' } as const
  refuseUnless(await targetRefusal(parts, { target, selection, ...(allowStale && { allowStale }) }))
  refuseUnless(await readersRefusal(parts, [replayTopic(parts.topology.applicationId, letter.original.topic!)]))
}

/** Writes the edited record and what the audit says of it, both or neither. */
export async function replayEdited(
  given: ReplayParts,
  { letter }: Pick<LetterEdit, 'letter'>,
  edited: EditedLetter,
  wish: Pick<ReplayWish, 'name' | 'reason' | 'allowStale'>,
): Promise<AuditEdit> {
  const topology = given.topology.whole ?? given.topology
  const parts = { ...given, topology }
  const { by, clock } = parts
  if (edited.changed.length === 0)
    throw refused(`${placeOf(letter)} is as it was: to let it be processed again, kri dlq replay`)
  await checkEdit(parts, { letter }, wish)
  const { applicationId } = topology
  const topic = replayTopic(applicationId, letter.original.topic!)
  const { partitions } = (await outputTopics(parts, { kind: 'replay' })).get(topic)!
  const { partition: first } = letter.original
  const partition = first !== null && first >= 0 && first < partitions ? first : 0
  const record: AuditEdit = {
    ...{ kind: 'edited', run: wish.name, by, at: new Date(clock.wallTime()).toISOString() },
    ...(wish.reason !== undefined && { reason: wish.reason }),
    letter: { topic: letter.topic, partition: letter.partition, offset: letter.offset },
    ...{ target: { topic, partition }, changed: edited.changed },
  }
  const claim = new ReplayClaim({ ...parts, applicationId, run: wish.name })
  try {
    await claim.begin(run => {
      if (run !== undefined) throw refused(`${wish.name} is the name of a run: choose another`)
      return { record, along: [edited.batch(topic, partition)] }
    })
    return record
  } finally {
    await claim.close()
  }
}
