import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Logger, silentLogger } from '../../src/ops/logger.ts'
import { digitTopology } from '../support/digit-topology.ts'
import { feed, onDriver } from '../support/on-driver.ts'

describe('the log of dead letters', () => {
  test('tells the first of each kind with its position, then counts, at most a line a minute', async () => {
    const lines: (Record<string, unknown> & { message: string })[] = []
    const logger: Logger = {
      ...silentLogger,
      child: () => logger,
      warn: (fields, message) => lines.push({ ...fields, message }),
    }
    const told = () => lines.splice(0).filter(({ message }) => /dead letter/.test(message))
    const bad = (key: string) => ({ key, value: 'pre' })
    await onDriver(
      digitTopology(),
      async driver => {
        await feed(driver, [{ key: 'a', value: '5' }])
        assert.deepEqual(told(), [], 'good records cost no line')
        await feed(driver, [bad('b'), { key: 'c', value: 'post' }, bad('d'), bad('e')])
        const first = told()
        assert.deepEqual(
          first.map(({ code, source, deadLetterTopic }) => [code, source, deadLetterTopic]),
          [
            ['FUNCTION_THREW', 'in/0/1', 't.classify.failed-preprocess'],
            ['POSTPROCESS_THREW', 'in/0/2', 't.classify.failed-postprocess'],
          ],
        )
        assert.match(String(first[0]!.reason), /asked for by the record/)
        await driver.advance(60_000)
        assert.deepEqual(
          told().map(({ code, more }) => [code, more]),
          [['FUNCTION_THREW', 2]],
        )
        await driver.advance(60_000)
        assert.deepEqual(told(), [])
        await feed(driver, [bad('f')])
        await driver.stop()
        assert.deepEqual(
          told().map(({ code, more }) => [code, more]),
          [['FUNCTION_THREW', 1]],
          'what is not told yet is told at the end',
        )
      },
      { logger },
    )
  })
})
