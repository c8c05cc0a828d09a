/** Messages of this project say code and place before what a user's function, handler or model threw: that is taken off here. */
const CODE = String.raw`^\[[A-Z_]+\] `
/** A function by stage and index, a step, or a recorded handler by its name, and what it was doing. */
const PLACE = String.raw`(?:(?:pre|post)process function \d+|step \S+|(?:mul|add|echo)-\d+(?:: loadModel\("[^"]*"\) failed)?)`
const BEFORE = new RegExp(`${CODE}(?:${PLACE}: )*`)

/** What was thrown. Errors of the project's own keep their code. */
export function thrownText(message: string): string {
  return message.replace(BEFORE, '')
}
