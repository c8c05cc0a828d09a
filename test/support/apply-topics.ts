import assert from 'node:assert/strict'
import { kriInProcess } from './kri-in-process.ts'

/** `kri topics apply` on these brokers, in this process: suites need not wait for one to start before they begin. */
export async function applyTopics(brokers: readonly string[], ...args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await kriInProcess(['topics', 'apply', ...args, '--brokers', brokers.join()])
  assert.equal(code, 0, `${stdout}${stderr}`)
}
