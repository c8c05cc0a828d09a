// In a container without an init we are process 1, which the kernel spares its own SIGKILL.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const lifecycle = fileURLToPath(new URL('../../src/ops/lifecycle.ts', import.meta.url))
const asProcessOne = (script: string) =>
  spawnSync('unshare', ['--pid', '--fork', process.execPath, '--input-type=module', '-e', script], { encoding: 'utf8' })
const tried = asProcessOne('process.exit(process.pid)')
const skip =
  tried.status === 1
    ? false
    : `no process can be made process 1 here (unshare: ${tried.stderr || tried.error?.message})`

test('process 1 ends when it ends itself', { skip }, () => {
  const script = `
    import { killThisProcess } from '${lifecycle}'
    setTimeout(() => process.exit(77), 2_000)
    killThisProcess()`
  const { status, signal } = asProcessOne(script)
  assert.ok(status !== 0 && status !== 1 && status !== 77, `status ${status}, signal ${signal}`)
})
