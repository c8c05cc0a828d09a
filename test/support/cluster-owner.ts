// Started by test/cluster/orphans.test.ts: owns a service, as a program owns its brokers, until it is killed; says where.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RUN_FOLDER_PREFIX } from '../../src/cluster/run-file.ts'
import { supervise } from '../../src/cluster/supervised.ts'

const folder = mkdtempSync(join(tmpdir(), RUN_FOLDER_PREFIX))
const supervised = supervise(folder, folder, () => {})
await supervised.start({
  name: 'broker-1',
  command: process.execPath,
  // As stubborn as a Java process in a bad moment.
  args: ['-e', 'process.on("SIGTERM", () => {}); process.on("SIGINT", () => {}); setInterval(() => {}, 60000)', folder],
  cwd: folder,
  logFile: join(folder, 'broker-1.log'),
})
process.stdout.write(`${folder}\n`)
// Nothing of a cluster keeps its owner alive.
setInterval(() => {}, 60_000)
