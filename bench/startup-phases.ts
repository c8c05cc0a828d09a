/** Where the time of a start goes, by the log of `kri run`. */

/** Milliseconds, one after the other; together the whole start. */
export interface StartupPhases {
  /** Node, imports, settings, the topology module: until the line that says `starting`. */
  readonly processMs: number
  /** Until health and metrics are served. */
  readonly listenMs: number
  /** Topics checked, codecs opened, the lane's thread started. */
  readonly preparationMs: number
  /** Reading the file, creating and warming up the session, as the lane says. */
  readonly modelMs: number
  readonly joinMs: number
  /** From the line of the group to the answer 200. */
  readonly answerMs: number
}

interface LogLine {
  readonly time: string
  readonly msg: string
  readonly loadMs?: number
}

/** `log`: JSON lines. Times in milliseconds since 1970. */
export function startupPhases(log: string, startedAt: number, readyAt: number): StartupPhases {
  const lines = log
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line) as LogLine)
  const find = (what: string, fits: (line: LogLine) => boolean) => {
    const line = lines.find(fits)
    if (line === undefined) throw new Error(`the log has no line ${what}:\n${log}`)
    return line
  }
  const starting = Date.parse(find('of the start', ({ msg }) => msg === 'starting').time)
  const listening = Date.parse(find('of the address', ({ msg }) => msg === 'health and metrics').time)
  const loaded = find('of the model', ({ msg, loadMs }) => msg === 'model loaded' && loadMs !== undefined)
  const loadedAt = Date.parse(loaded.time)
  const joined = Date.parse(find('of the group', ({ msg }) => msg === 'joined the group').time)
  return {
    processMs: starting - startedAt,
    listenMs: listening - starting,
    preparationMs: loadedAt - listening - loaded.loadMs!,
    modelMs: loaded.loadMs!,
    joinMs: joined - loadedAt,
    answerMs: readyAt - joined,
  }
}
