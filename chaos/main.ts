/** `npm run chaos`: whether the guarantees hold while processes, brokers and the registry are taken away; see README.md. */
import { runBroken } from './broken.ts'
import { type ChaosFlags, HELP, parseFlags } from './flags.ts'
import { type Job, program, ROOT } from './program.ts'
import { brokenPromises, jsonOf, textOf } from './report.ts'
import { runChaos } from './run.ts'
import { setUp } from './setup.ts'

process.chdir(ROOT)
await program('npm run chaos', HELP, parseFlags, (flags, job) => (flags.broken ? runBroken : chaos)(flags, job))

async function chaos(flags: ChaosFlags, job: Job): Promise<boolean> {
  job.say(`${flags.guarantee}, faults ${flags.faults.join() || 'none'}, seed ${flags.seed}`)
  const setup = await setUp({ ...job, root: ROOT })
  const result = await runChaos({ ...flags, name: 'chaos', root: ROOT }, setup, job)
  process.stdout.write(flags.json ? `${JSON.stringify(jsonOf(result))}\n` : `${textOf(result)}\n`)
  return brokenPromises(result).length === 0
}
