// Dead letters for the page, from topics that anybody may write to: what one request holds and sends is bounded.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { kafkaLetters } from '../../src/console/kafka-letters.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { replayWorld } from '../support/replay-world.ts'

const LONG = 'x'.repeat(20_000)

it('what is shown of a letter is bounded, whatever its headers say', async () => {
  const names = ['code', 'step', 'error-type', 'error-message', 'model-id', 'original-topic']
  const facts = Object.fromEntries(names.map(name => [name, LONG]))
  const world = await replayWorld([{ key: LONG, facts }])
  const { signal } = new AbortController()
  const parts = {
    ...world.parts(),
    logger: silentLogger,
    registry: undefined,
    readSchema: async () => '',
    version: '0',
  }
  const letters = kafkaLetters(parts)
  const [row] = await world.over(letters.letters({}, 50, signal))
  const [group] = await world.over(letters.groups({}, signal))
  for (const view of [row!, group!])
    for (const [name, value] of Object.entries(view))
      if (typeof value === 'string') assert.ok(value.length <= 600, `${name} has ${value.length} characters`)
  assert.match(row!.modelId!, /^x+/)
  const whole = await world.over(letters.letter(row!.place, signal))
  assert.ok(whole!.message!.startsWith(LONG), 'one letter alone is shown with all of its message')
})
