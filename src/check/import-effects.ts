/** What an import leaves behind in the process. A topology module must leave nothing: every command and lane imports it. */
import { setImmediate } from 'node:timers/promises'
import type { Problem } from '../problem.ts'
import { environment } from '../settings.ts'

/** By Node's own names, what stays open because a module opened it; others are work that ends by itself. */
const HANDLES: Readonly<Record<string, string>> = {
  Timeout: 'a timer',
  TCPSocketWrap: 'a connection',
  TCPServerWrap: 'a server',
  UDPWrap: 'a socket',
  ProcessWrap: 'a child process',
  FSEventWrap: 'a file watcher',
  StatWatcher: 'a file watcher',
  MessagePort: 'a worker or message port',
  Worker: 'a worker',
}

export interface ImportEffects {
  /** What changed since the snapshot, one problem per kind of change. */
  problems(file: string): Promise<readonly Problem[]>
}

/** Takes a snapshot now. Other work that goes on in the process meanwhile would be blamed on the import. */
export function watchEffects(): ImportEffects {
  const before = snapshot()
  return {
    async problems(file) {
      // What an import has begun may open in the next turn of the loop only.
      await setImmediate()
      const after = snapshot()
      const made = (what: string, names: readonly string[], remedy: string): Problem[] =>
        names.length === 0 ? [] : [{ where: file, what: `importing it ${what}: ${names.join(', ')}`, remedy }]
      return [
        ...made('changes the environment', changedKeys(before.env, after.env), 'Set it outside, or take a parameter'),
        ...made('adds global names', added(before.globals, after.globals), 'Export the value and import it'),
        ...made('changes the folder', before.folder === after.folder ? [] : [after.folder], 'Leave process.chdir out'),
        ...made('listens to events of the process', more(before.listeners, after.listeners), 'Leave process.on out'),
        ...made(
          'opens',
          more(before.handles, after.handles),
          'Open nothing: a topology module only describes the graph',
        ),
      ]
    },
  }
}

function snapshot() {
  return {
    env: environment(),
    globals: Object.getOwnPropertyNames(globalThis),
    folder: process.cwd(),
    listeners: new Map(process.eventNames().map(name => [String(name), process.listenerCount(name)])),
    handles: handlesNow(),
  }
}

function handlesNow(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) {
    const name = HANDLES[kind]
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

function changedKeys(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(key => before[key] !== after[key])
}

function added(before: readonly string[], after: readonly string[]): string[] {
  return after.filter(name => !before.includes(name))
}

function more(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string[] {
  return [...after]
    .filter(([name, count]) => count > (before.get(name) ?? 0))
    .map(([name]) => name)
    .sort()
}
