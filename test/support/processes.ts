import { readdirSync, readFileSync } from 'node:fs'

/** Command lines of all processes of this machine that name the folder. */
export function processesNaming(folder: string): string[] {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name))
  return pids.map(commandLine).filter(line => line.includes(folder))
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    // It has ended between the two calls.
    return ''
  }
}
