/** Messages of this project say code and place around what a user's function, handler or model threw: that is taken off here. */
const CODE = String.raw`\[[A-Z_]+\] `
/** A function by stage and index, a step, or a recorded handler by its name, and what it was doing. */
const PLACE = String.raw`(?:(?:pre|post)process function \d+|step \S+|(?:mul|add|echo)\([^)]*\)(?:: loadModel\("[^"]*"\) failed)?)`
/** A per-key model that cannot be loaded. */
const LOAD = String.raw`(?:\[[A-Z_]+\] )?model \S+ of key \S+ in step \S+ cannot be loaded[^:]*: `
/** An error that no dead letter is made of: the record, and the class of the error. */
const UNHANDLED = String.raw`\[UNHANDLED\] step \S+?(?:, (?:pre|post)process function \d+)?, record \S+: \w+: `
const BEFORE = new RegExp(`^(?:${UNHANDLED}|${LOAD})?${CODE}(?:${PLACE}: )*`)
const BEHIND = /; exceptionHandling\.only of step .*$/s

/** What was thrown. Errors of the project's own keep their code. */
export function thrownText(message: string): string {
  return message.replace(BEFORE, '').replace(BEHIND, '')
}
