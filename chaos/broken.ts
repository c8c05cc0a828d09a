/** `npm run chaos -- --broken`: whether the checker sees what is wrong with builds that were broken on purpose. */
import { join } from 'node:path'
import { BROKEN_BUILDS, makeBroken } from './broken-builds.ts'
import type { ChaosFlags } from './flags.ts'
import { type Job, ROOT } from './program.ts'
import { textOf } from './report.ts'
import { runChaos } from './run.ts'
import { setUp } from './setup.ts'

/** Two or three faults: the first may come too early. */
const SECONDS = 25
const CALM_SECONDS = 2
/** Others have taken over what it had when it wakes, and its transactions have not timed out yet. */
const STOP_BEYOND_MS = [6_000, 8_000] as const

export async function runBroken(flags: ChaosFlags, job: Job): Promise<boolean> {
  const setup = await setUp({ ...job, root: ROOT })
  const seen: Record<string, unknown>[] = []
  for (const build of BROKEN_BUILDS) {
    job.say(`${build.name}: ${build.about}`)
    const root = join(job.folder, `build-${build.name}`)
    makeBroken(build, ROOT, root)
    const { guarantee, faults, name } = build
    const times = { seconds: SECONDS, calmSeconds: CALM_SECONDS, stopBeyondMs: STOP_BEYOND_MS }
    const options = { ...flags, ...times, guarantee, faults, name, root }
    const result = await runChaos(options, setup, job)
    if (!flags.json) process.stdout.write(`${name}: ${textOf(result)}\n`)
    const { lost, duplicates } = result.verdict
    seen.push({ name, lost, duplicates, isNoticed: result.verdict[build.shows] > 0 })
  }
  if (flags.json) process.stdout.write(`${JSON.stringify({ broken: seen })}\n`)
  for (const { name, isNoticed } of seen) if (!isNoticed) job.say(`${name}: the checker has not noticed`)
  return seen.every(({ isNoticed }) => isNoticed)
}
