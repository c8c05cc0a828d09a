/** What the application costs while nothing comes: processor time of its process over a quiet while. */
import { setTimeout as delay } from 'node:timers/promises'
import { against, round } from './figures.ts'
import { type ServingOptions, startServing } from './serving.ts'
import type { Setting, Subject } from './setting.ts'

const SETTLE_MS = 5_000
const TARGET_PERCENT = 3

export const idle: Subject = {
  name: 'idle',
  about: 'processor time of the application over 30 s without records',
  async run(setting) {
    const facts = await measureIdle(setting, 'idle')
    return [{ name: 'idle', ...facts, ...against(facts.percentOfCore, '<=', TARGET_PERCENT, ' % of a core') }]
  },
}

export async function measureIdle(setting: Setting, name: string, options: ServingOptions = {}) {
  const seconds = setting.quick ? 8 : 30
  const { application, close } = await startServing(setting, name, options)
  await delay(SETTLE_MS)
  const before = await application.cpuMs()
  await delay(seconds * 1000)
  const percentOfCore = round(((await application.cpuMs()) - before) / (seconds * 10))
  await close()
  return { percentOfCore, seconds }
}
