/** What `kri check` found: the object that `--json` prints, from which its text is made. */
import { type ErrorCode, RunInferenceError } from '../errors.ts'
import type { ParameterDescription } from '../parameters.ts'
import { type Problem, problemsOf } from '../problem.ts'

export type Area = 'settings' | 'topology' | 'schemas' | 'topics' | 'models' | 'example'

export interface Finding extends Problem {
  readonly area: Area
}

/** Something because of which `kri run` would refuse to start, or would make dead letters of everything. */
export interface FoundProblem extends Finding {
  /** A code of docs/errors.md. */
  readonly code: ErrorCode
}

export interface ModelReport {
  /** The steps that run it. */
  readonly steps: readonly string[]
  readonly uri: string
  readonly ok: boolean
  /** Null where it cannot be loaded, as all of the following. */
  readonly provider: string | null
  readonly refusedProviders: readonly { readonly provider: string; readonly reason: string }[]
  readonly sizeBytes: number | null
  readonly sha256: string | null
  readonly loadMs: number | null
}

export interface TopicReport {
  readonly name: string
  readonly ok: boolean
  /** Null: it does not exist. */
  readonly partitions: number | null
}

export interface SchemaReport {
  readonly subject: string
  readonly schema: string
  readonly ok: boolean
  /** In the registry; null: this version is not registered there. */
  readonly id: number | null
}

export interface ProducedRecord {
  readonly topic: string
  readonly key: unknown
  /** Decoded where the codec can, else its bytes in base64. */
  readonly value: unknown
}

export interface ExampleReport {
  readonly source: string
  /** Where the records came from: a file, the source topic, or nothing but the batch of zeros that models are warmed up with. */
  readonly from: 'file' | 'topic' | 'warm-up'
  readonly records: number
  /** How many of them became dead letters. */
  readonly failed: number
  /** The one that is shown: the newest that did not fail; null for `warm-up`. */
  readonly shown: {
    /** `topic/partition/offset`, or the line of the file. */
    readonly origin: string
    readonly key: unknown
    readonly value: unknown
    readonly produced: readonly ProducedRecord[]
  } | null
}

export interface CheckReport {
  readonly ok: boolean
  /** Null where the module cannot be loaded. */
  readonly topology: string | null
  /** What the module takes as --param, and has here; empty where it cannot be loaded. */
  readonly parameters: readonly ParameterDescription[]
  readonly offline: boolean
  readonly problems: readonly FoundProblem[]
  readonly warnings: readonly Finding[]
  readonly models: readonly ModelReport[]
  readonly topics: readonly TopicReport[]
  readonly schemas: readonly SchemaReport[]
  /** One per source; empty where something stands in the way. */
  readonly examples: readonly ExampleReport[]
  readonly seconds: number
}

/** Takes findings from all parts of a check, so that none hides another. */
export interface Findings {
  readonly problems: readonly FoundProblem[]
  readonly warnings: readonly Finding[]
  problem(area: Area, code: ErrorCode, problem: Problem): void
  warning(area: Area, problem: Problem): void
  /** What was thrown: its own problems, or one at `where` with `remedy`. */
  thrown(area: Area, error: unknown, where: string, remedy: string): void
  /** True while nothing was found in these areas. */
  clean(...areas: readonly Area[]): boolean
}

export function createFindings(): Findings {
  const problems: FoundProblem[] = []
  const warnings: Finding[] = []
  const same = (a: Finding, b: Finding) =>
    a.area === b.area && a.where === b.where && a.what === b.what && a.got === b.got
  const add = <F extends Finding>(list: F[], finding: F) => {
    if (!list.some(known => same(known, finding))) list.push(finding)
  }
  return {
    problems,
    warnings,
    problem: (area, code, problem) => add(problems, { area, code, ...problem }),
    warning: (area, problem) => add(warnings, { area, ...problem }),
    thrown(area, error, where, remedy) {
      const { code } = RunInferenceError.from(error, 'BUG')
      for (const problem of problemsOf(error, where, remedy)) add(problems, { area, code, ...problem })
    },
    clean: (...areas) => !problems.some(({ area }) => areas.includes(area)),
  }
}
