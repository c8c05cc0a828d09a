import { brokenRules } from './settings-rules.ts'
import { type Settings, settingsSchema } from './settings-schema.ts'

export interface ParsedProblem {
  readonly name: string
  /** Undefined: there is no such setting. */
  readonly expected: string | undefined
}

export type ParsedSettings = { readonly settings: Settings } | { readonly problems: readonly ParsedProblem[] }

/** Checks everything and names every problem. */
export function parseSettings(values: Readonly<Record<string, unknown>>): ParsedSettings {
  const result = settingsSchema.safeParse(values)
  const wrong = (result.error?.issues ?? []).flatMap((issue): ParsedProblem[] =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map(name => ({ name, expected: undefined }))
      : [{ name: String(issue.path[0]), expected: issue.message }],
  )
  const settings = result.data ?? (fieldByField(values) as Settings)
  const broken = brokenRules(
    settings,
    wrong.map(({ name }) => name),
  )
  // One per setting: several brokers may each be wrong in the same way.
  const problems = [...wrong, ...broken].filter(({ name }, i, all) => all.findIndex(other => other.name === name) === i)
  return problems.length === 0 ? { settings: Object.freeze(settings) } : { problems }
}

/** What is right by itself, when not everything is. */
function fieldByField(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settingsSchema.shape).map(([name, field]) => [name, field.safeParse(values[name]).data]),
  )
}
