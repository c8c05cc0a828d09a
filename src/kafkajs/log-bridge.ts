import type { Logger } from '../ops/logger.ts'
import { createKafkajsLogger, type KafkajsLogger, LEVELS } from './internals.ts'

/**
 * kafkajs's own lines, all at level debug: whatever it reports also reaches us as a rejection, and is logged once, with
 * what we do about it.
 */
export function kafkajsLogger(logger: Logger): KafkajsLogger {
  return createKafkajsLogger({
    level: LEVELS.INFO,
    logCreator: () => entry => {
      logger.debug({ kafkajs: entry.namespace, level: entry.label }, entry.log.message)
    },
  })
}
