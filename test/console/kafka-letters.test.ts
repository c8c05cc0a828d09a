// Dead letters for the page, from topics that anybody may write to: what one request holds and sends is bounded.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { kafkaLetters } from '../../src/console/kafka-letters.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { replayWorld } from '../support/replay-world.ts'

const LONG = 'x'.repeat(20_000)

const { signal } = new AbortController()
const lettersOf = (world: Awaited<ReturnType<typeof replayWorld>>) =>
  kafkaLetters({
    ...world.parts(),
    ...{ logger: silentLogger, registry: undefined, readSchema: async () => '', version: '0' },
  })

it('totals are those of all that is selected, however many reasons are left out', async () => {
  const facts = Array.from({ length: 520 }, (_, i) => ({ code: `CODE_${i}` }))
  const world = await replayWorld([...facts, ...facts.slice(0, 100)].map(each => ({ facts: each })))
  const found = await world.over(lettersOf(world).groups({}, signal))
  const { groups, letters, open, reasons, untold } = found
  assert.deepEqual([groups.length, letters, open, reasons, untold], [500, 620, 620, 520, undefined])
  assert.equal(groups.filter(({ count }) => count === 2).length, 100, 'those of most letters are shown')
})

it('addresses of models are shown without credentials, alone and in what is said of them', async () => {
  const id = 'https://u:swordfish@h/m.onnx?sig=swordfish'
  const world = await replayWorld([{ facts: { 'model-id': id, 'error-message': `${id} says no`, 'error-stack': id } }])
  const letters = lettersOf(world)
  const [row] = await world.over(letters.letters({}, 50, signal))
  assert.equal(row!.modelId, 'https://***@h/m.onnx?sig=***')
  const shown = [
    row,
    await world.over(letters.groups({}, signal)),
    await world.over(letters.letter(row!.place, signal)),
  ]
  assert.doesNotMatch(JSON.stringify(shown), /swordfish/)
})

it('what is shown of a letter is bounded, whatever its headers say', async () => {
  const names = ['code', 'step', 'error-type', 'error-message', 'model-id', 'original-topic']
  const facts = Object.fromEntries(names.map(name => [name, LONG]))
  const world = await replayWorld([{ key: LONG, facts }])
  const letters = lettersOf(world)
  const [row] = await world.over(letters.letters({}, 50, signal))
  const [group] = (await world.over(letters.groups({}, signal))).groups
  for (const view of [row!, group!])
    for (const [name, value] of Object.entries(view))
      if (typeof value === 'string') assert.ok(value.length <= 600, `${name} has ${value.length} characters`)
  assert.match(row!.modelId!, /^x+/)
  const whole = await world.over(letters.letter(row!.place, signal))
  assert.ok(whole!.message!.startsWith(LONG), 'one letter alone is shown with all of its message')
})
