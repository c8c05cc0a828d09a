/** `npm run verify`: everything that must hold before a change is handed in, one after the other; stops at the first that fails. */
import { spawnSync } from 'node:child_process'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const node = (...args: readonly string[]) => [process.execPath, '--conditions=kri-source', ...args]

const steps: readonly (readonly [name: string, command: readonly string[]])[] = [
  ['format and lint', ['node_modules/.bin/biome', 'check', '--error-on-warnings']],
  ['types', ['node_modules/.bin/tsc', '-p', '.']],
  ['types of the console’s page', ['node_modules/.bin/tsc', '-p', 'src/console/page']],
  ['tests', node('scripts/test.ts')],
  ['build', ['npm', 'run', 'build']],
  ['the built command line', [process.execPath, 'dist/cli/bin.js', '--version']],
]

for (const [name, [command, ...args]] of steps) {
  console.log(`\n== ${name}`)
  const { status, error } = spawnSync(command!, args, { cwd: root, stdio: 'inherit' })
  if (status === 0) continue
  console.error(`\nverify stops at: ${name}${error === undefined ? '' : ` (${error.message})`}`)
  process.exit(1)
}
console.log('\nall is well')
