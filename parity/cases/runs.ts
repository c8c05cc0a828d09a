/** Cases that recorded several runs, by name. */
import type { OracleCase } from '../oracle-case.ts'
import type { CaseRun } from './pipeline.ts'

/** Runs each with what its name says of it. */
export function eachRun(runOf: (name: string, oracle: OracleCase) => CaseRun): CaseRun {
  return async oracle => {
    const results: Record<string, unknown> = {}
    for (const [name, expected] of Object.entries(oracle.expected as object)) {
      results[name] = await runOf(name, oracle)({ ...oracle, expected })
    }
    return results
  }
}
