import { describe, test } from 'node:test'
import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import type { CreateExecutor } from '../support/executor-checks.ts'
import { checkModel, EXPECTED_MODELS, showDifferences } from '../support/expected-models.ts'

const create: CreateExecutor = options => createInThreadExecutor(options, { logger: silentLogger, clock: systemClock })

describe('labels are equal and numbers within 1e-6 of the recorded ones, on cpu', () => {
  for (const model of EXPECTED_MODELS) {
    for (const batch of [1, 7, 64, 256]) {
      test(`${model.name} at batch ${batch}`, async t => {
        t.diagnostic(`${model.name} at batch ${batch}: ${showDifferences(await checkModel(create, model, batch))}`)
      })
    }
  }
})
