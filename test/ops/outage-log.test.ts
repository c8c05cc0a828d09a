import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { type Logger, silentLogger } from '../../src/ops/logger.ts'
import { OutageLog } from '../../src/ops/outage-log.ts'
import { createManualClock } from '../../src/testing/index.ts'
import { digitTopology } from '../support/digit-topology.ts'
import { feed, onFaultyDriver } from '../support/on-driver.ts'

type Line = Record<string, unknown> & { level: string; message: string }

function recording() {
  const lines: Line[] = []
  const note = (level: string) => (fields: object, message: string) => lines.push({ level, message, ...fields })
  const logger: Logger = { ...silentLogger, child: () => logger, warn: note('warn'), info: note('info') }
  return { logger, told: () => lines.splice(0).filter(({ message }) => /outage/.test(message)) }
}
const reason = new RunInferenceError('MODEL_OUTAGE', 'the control batch fails')

describe('the log of outages', () => {
  it('tells once that one began, why, and that it is over, with how long it took', async () => {
    const { logger, told } = recording()
    const clock = createManualClock()
    const log = new OutageLog(logger, clock)
    log.began('step', reason)
    log.began('step', reason)
    const [first, ...others] = told()
    assert.deepEqual([first!.level, first!.what, first!.code, others], ['warn', 'step', 'MODEL_OUTAGE', []])
    assert.match(String(first!.reason), /the control batch fails/)
    await clock.advance(90_000)
    assert.deepEqual(told(), [])
    log.over('step')
    log.over('step')
    log.over('another')
    assert.deepEqual(
      told().map(({ level, what, afterMs }) => [level, what, afterMs]),
      [['info', 'step', 90_000]],
    )
  })

  it('one that comes and goes has a beginning a minute at most; what is out at the end of the minute is told then', async () => {
    const { logger, told } = recording()
    const clock = createManualClock()
    const log = new OutageLog(logger, clock)
    for (let i = 0; i < 20; i++) {
      log.began('step', reason)
      await clock.advance(1_000)
      log.over('step')
    }
    assert.equal(told().length, 2)
    log.began('step', reason)
    await clock.advance(39_000)
    assert.equal(told().length, 0)
    await clock.advance(1_000)
    assert.equal(told().length, 1)
    log.over('step')
    assert.equal(told()[0]!.afterMs, 40_000)
    log.began('step', reason)
    log.close()
    await clock.advance(100_000)
    assert.equal(told().length, 0)
  })

  it('has outages of a running step', async () => {
    const { logger, told } = recording()
    await onFaultyDriver(
      digitTopology(),
      async (driver, executor) => {
        executor.failRowsWhere(() => true)
        executor.failControl(true)
        await feed(driver, [{ key: 'k', value: '5' }])
        assert.deepEqual(
          told().map(({ what, code }) => [what, code]),
          [
            ['classify', 'MODEL_OUTAGE'],
            ['breaker of step classify', 'MODEL_OUTAGE'],
          ],
        )
        executor.failRowsWhere(undefined)
        executor.failControl(false)
        await driver.advance(20_000)
        assert.ok(told().some(({ what, message }) => what === 'classify' && message === 'the outage is over'))
      },
      { logger },
    )
  })
})
