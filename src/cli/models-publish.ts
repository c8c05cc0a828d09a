import { randomBytes } from 'node:crypto'
import { RunInferenceError } from '../errors.ts'
import { shadowTopic } from '../kafka/topic-names.ts'
import { readMetadata } from '../refresh/metadata-log.ts'
import { modelNameOf, publication, type TrialPlan } from '../refresh/publish-plan.ts'
import type { AbortRule } from '../refresh/step-models.ts'
import { chosenSlot } from '../refresh/topology-slots.ts'
import { tellChange, write } from './models-change.ts'
import { requireFits, sayCheck } from './models-check.ts'
import { checkOf, metadataOf, openModel } from './models-file.ts'
import { actOf, type ChangeFlags, type ModelsSession, withModels } from './models-session.ts'
import { say, sayJson } from './models-text.ts'

const SALT_BYTES = 8

export interface PublishFlags extends ChangeFlags {
  readonly name?: string
  readonly upload?: string
  readonly check: boolean
  readonly dryRun?: boolean
  /** Percent of the keys. */
  readonly canary?: number
  readonly shadow?: number | true
  readonly abortIf?: AbortRule
}

/** Publishes a model for a slot, or puts it on trial there. */
export async function publishModel(module: string, modelId: string, flags: PublishFlags): Promise<void> {
  const trial = trialOf(flags)
  await withModels(module, flags, async session => {
    const slot = chosenSlot(session.slots, flags, module)
    if (trial?.mode === 'shadow') await requireShadowTopic(session, slot.step)
    const opened = await openModel(session, slot, modelId, flags.upload)
    try {
      const model = metadataOf(opened, flags.name ?? modelNameOf(modelId))
      const serving = (await readMetadata(session.port, session.metadataTopic, session.signal)).slots.get(slot.text)
      const check =
        flags.check || flags.dryRun ? await checkOf(session, slot, opened, model, serving?.state.stable) : undefined
      if (flags.dryRun === true) {
        if (flags.json === true) sayJson({ slot: slot.text, model, check })
        else {
          sayCheck(model, check!)
          say(
            `nothing was published (--dry-run)${model.sha256 === undefined ? '' : `: ${model.sizeBytes} bytes, sha256 ${model.sha256}`}`,
          )
        }
        if (!check!.ok) process.exitCode = 1
        return
      }
      if (check) requireFits(model, check)
      await opened.place()
      const act = actOf(flags)
      const change = await write(session, slot, state => publication(state, model, trial, act))
      await tellChange(session, slot, change!, flags, { checked: check !== undefined })
    } finally {
      opened.fetched?.release()
    }
  })
}

function trialOf({ canary, shadow, abortIf }: PublishFlags): TrialPlan | undefined {
  if (canary !== undefined && shadow !== undefined)
    throw wrongFlags('--canary and --shadow exclude each other. Leave one out')
  if (canary === undefined && shadow === undefined) {
    if (abortIf === undefined) return undefined
    throw wrongFlags('--abort-if is for trials. Add --canary or --shadow')
  }
  return {
    mode: canary === undefined ? 'shadow' : 'canary',
    percent: canary ?? (shadow === true ? 100 : shadow!),
    // Drawn anew for each trial, so that it is not always the same keys that try.
    salt: randomBytes(SALT_BYTES).toString('hex'),
    ...(abortIf === undefined ? {} : { abortIf }),
  }
}

/** Instances would score nothing, and say so; whoever asks for it should know at once. */
async function requireShadowTopic({ port, topology, module }: ModelsSession, step: string): Promise<void> {
  const topic = shadowTopic(topology.name, step)
  const [found] = await port.admin.describeTopics([topic])
  if (found) return
  const what = `${topic} does not exist, where both inferences would be written`
  throw new RunInferenceError('TOPIC_MISSING', `${what}. Put it right: kri topics apply ${module}`)
}

function wrongFlags(what: string): RunInferenceError {
  return new RunInferenceError('SETTINGS_INVALID', what)
}
