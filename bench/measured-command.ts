/** Commands of which time, processor time and peak memory are wanted. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Program, startKri } from './kri.ts'
import type { Setting } from './setting.ts'

export interface CommandRun {
  readonly output: string
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakMiB: number
}

/** A command from its start to its end. What it has used it says itself when it ends. */
export async function measured({ folder }: Setting, program: Program, args: readonly string[]): Promise<CommandRun> {
  const file = join(folder, 'used')
  const tell = `import { writeFileSync } from 'node:fs'; process.on('exit', () => writeFileSync(${JSON.stringify(file)}, JSON.stringify(process.resourceUsage())))`
  const node = [`--import=data:text/javascript,${encodeURIComponent(tell)}`, ...program.node]
  const { ended } = startKri({ ...program, node }, args, join(folder, 'letters-compiled'))
  const { output, seconds } = await ended
  const { maxRSS, userCPUTime, systemCPUTime } = JSON.parse(readFileSync(file, 'utf8')) as NodeJS.ResourceUsage
  return { output, seconds, cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peakMiB: maxRSS / 1_024 }
}
