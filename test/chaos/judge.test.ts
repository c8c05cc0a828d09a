// The judge sees what is wrong with a history, whatever it is, and nothing where all is well.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Guarantee, Verdict } from '../../chaos/judge.ts'
import { goodHistory, type History, indexOf, judged, numberOf, TOPICS, withHeader } from '../support/chaos-history.ts'

const { input, between, output, letters } = TOPICS
type Counts = Partial<Omit<Verdict, 'findings' | 'produced' | 'outputs' | 'deadLetters'>>

/** What the judge counts once something was done to a good history. */
function expectCounts(
  change: (history: History) => void,
  counts: Counts,
  guarantee: Guarantee = 'at_least_once',
): void {
  const history = goodHistory()
  change(history)
  const { findings, produced, outputs, deadLetters, ...found } = judged(history, guarantee)
  const none = { lost: 0, duplicates: 0, orderViolations: 0, wrongValues: 0, wrongDeadLetters: 0, undecided: 0 }
  assert.deepEqual(found, { ...none, inputLost: 0, inputDuplicates: 0, ...counts }, findings.join('\n'))
  // What comes twice where it may is no finding.
  const told = guarantee === 'exactly_once' ? counts : { ...counts, duplicates: 0 }
  const isTold = Object.values(told).some(count => count > 0)
  assert.equal(findings.length > 0, isTold, 'it says what it found')
  assert.ok(produced > 0 && outputs > 0 && deadLetters > 0)
}

const swap = <T>(list: T[], one: number, other: number) => {
  const kept = list[one]!
  list[one] = list[other]!
  list[other] = kept
}
/** Good records of key 0, which share their partition with key 2. */
const early = numberOf(0, 'good', 10)
const late = numberOf(0, 'good', 200)
const letters1 = (h: History) => h[letters.first.inference!]!
const letters2 = (h: History) => h[letters.second.inference!]!
const at = (history: History, topic: string, number: number) => indexOf(history, topic, 0, number)

describe('the judge', () => {
  for (const guarantee of ['at_least_once', 'exactly_once'] as const)
    it(`finds nothing in a history in which all went as it must, ${guarantee}`, () =>
      expectCounts(() => {}, {}, guarantee))

  it('counts what was produced, came out, and is a dead letter', () => {
    const history = goodHistory()
    const { produced, outputs, deadLetters } = judged(history)
    assert.equal(produced, history[input]!.length)
    assert.equal(outputs, history[output]!.length)
    assert.ok(produced === outputs + deadLetters && deadLetters > 10)
  })

  const faults: Record<string, [(history: History) => unknown, Counts]> = {
    'an output that is lost': [h => h[output]!.splice(at(h, output, early), 1), { lost: 1 }],
    'the end of an output topic that is lost': [h => h[output]!.splice(-7), { lost: 7 }],
    'a dead letter of the first step that is lost': [h => letters1(h).pop(), { lost: 1 }],
    'a dead letter of the second step that is lost': [h => letters2(h).shift(), { lost: 1 }],
    'an output that comes twice, at once': [
      h => h[output]!.splice(at(h, output, early), 0, h[output]![at(h, output, early)]!),
      { duplicates: 1 },
    ],
    'outputs that come twice, much later': [
      h => h[output]!.push(h[output]![at(h, output, early)]!, h[output]![at(h, output, late)]!),
      { duplicates: 2 },
    ],
    'a dead letter that comes three times': [
      h => letters2(h).push(letters2(h)[0]!, letters2(h)[0]!),
      { duplicates: 2 },
    ],
    'an output of which there is a dead letter too': [
      h => {
        const letter = letters2(h).at(-1)!
        const of = at(h, between, late)
        const position = positionIn(h, between, of)
        letters2(h).push(withOriginal(letter, position))
      },
      { duplicates: 1, orderViolations: 0, wrongDeadLetters: 1 },
    ],
    'a value that is wrong by one': [
      h =>
        edit(h, output, early, record => ({
          ...record,
          value: Buffer.from(String(record.value).replace(/"total":\d+/, '"total":1')),
        })),
      { wrongValues: 1 },
    ],
    'a value that is no JSON': [
      h => edit(h, output, early, record => ({ ...record, value: Buffer.from('{') })),
      { wrongValues: 1 },
    ],
    'an output without a value': [
      h => edit(h, output, early, record => ({ ...record, value: null })),
      { wrongValues: 1 },
    ],
    'an output under another key': [
      h => edit(h, output, early, record => ({ ...record, key: Buffer.from('key-2') })),
      { wrongValues: 1 },
    ],
    'an output of another time': [
      h => edit(h, output, early, record => ({ ...record, timestamp: 1 })),
      { wrongValues: 1 },
    ],
    'an output in another partition': [
      h => {
        const index = at(h, output, early)
        const [record] = h[output]!.splice(index, 1)
        h[output]!.splice(index, 0, { ...record!, partition: 1 })
      },
      { wrongValues: 1 },
    ],
    'an output that has lost the header of its source': [
      h => edit(h, output, early, record => withHeader(record, 'chaos-event', 'of another')),
      { wrongValues: 1 },
    ],
    'an output that has the header of its source twice': [
      h => edit(h, output, early, record => ({ ...record, headers: [...record.headers, record.headers[0]!] })),
      { wrongValues: 1 },
    ],
    'an output with a header that nobody wrote': [
      h => edit(h, output, early, record => withHeader(record, 'x', 'of somebody else')),
      { wrongValues: 1 },
    ],
    'an output that says twice where it comes from': [
      h => edit(h, between, early, record => ({ ...record, headers: [...record.headers, record.headers.at(-1)!] })),
      { wrongValues: 1 },
    ],
    'an output of a record that there is not': [
      h => edit(h, output, early, record => withHeader(record, 'kri-source', `${between}/0/99999`)),
      { lost: 1, wrongValues: 1 },
    ],
    'a dead letter with another code': [
      h => letters1(h).push(withHeader(letters1(h).pop()!, 'kri-code', 'TIMEOUT')),
      { wrongDeadLetters: 1 },
    ],
    'a dead letter whose bytes have changed': [
      h => letters1(h).push({ ...letters1(h).pop()!, value: Buffer.from('other bytes') }),
      { wrongDeadLetters: 1 },
    ],
    'a dead letter that has lost its header': [
      h => letters1(h).push(withoutHeader(letters1(h).pop()!, 'chaos-event')),
      { wrongDeadLetters: 1 },
    ],
    'a dead letter with a header that nobody wrote': [
      h => letters2(h).push(withHeader(letters2(h).pop()!, 'x', 'of somebody else')),
      { wrongDeadLetters: 1 },
    ],
    'a dead letter in another partition': [
      h => {
        const letter = letters2(h).pop()!
        letters2(h).push({ ...letter, partition: 1 - letter.partition })
      },
      { wrongDeadLetters: 1 },
    ],
    'a dead letter of a record of which there is an output': [
      h => {
        const letter = letters1(h).pop()!
        letters1(h).push(withHeader(letter, 'kri-original-offset', '0'))
      },
      { lost: 1, duplicates: 1, wrongDeadLetters: 1 },
    ],
    'a dead letter in the topic of another stage': [
      h => letters2(h).push(h[letters.second.postprocess!]!.pop()!),
      { wrongDeadLetters: 1 },
    ],
    'an acknowledged record that is not in the input': [
      h => h[input]!.splice(-1),
      // What was made of it comes from nowhere.
      { inputLost: 1, wrongValues: 2 },
    ],
  }

  for (const [what, [change, counts]] of Object.entries(faults)) it(`sees ${what}`, () => expectCounts(change, counts))

  it('sees two outputs that are swapped', () => {
    const history = goodHistory()
    const [one, other] = neighbours(history)
    swap(history[output]!, one, other)
    assert.equal(judged(history).orderViolations, 1)
  })

  it('sees two dead letters that are swapped', () => {
    const history = goodHistory()
    const list = letters1(history)
    const one = list.findIndex(({ partition }, i) => i > 0 && partition === list[0]!.partition)
    swap(list, 0, one)
    assert.ok(judged(history).orderViolations >= 1)
  })

  it('does not call it disorder when a stretch comes once more, unless nothing may come twice', () => {
    const again = (history: History) => history[output]!.push(...history[output]!.slice(-20))
    expectCounts(again, { duplicates: 20 })
    expectCounts(again, { duplicates: 20, orderViolations: 20 }, 'exactly_once')
  })

  it('a record between that came twice is a source of its own: both have an output', () => {
    const history = goodHistory()
    const index = at(history, between, late)
    history[between]!.push(history[between]![index]!)
    const { duplicates, lost } = judged(history)
    assert.deepEqual({ duplicates, lost }, { duplicates: 1, lost: 1 })
  })

  it('a record twice in the input is the fault of whoever wrote it', () => {
    const history = goodHistory()
    history[input]!.push(history[input]!.at(-1)!)
    const { inputDuplicates, lost } = judged(history)
    assert.deepEqual({ inputDuplicates, lost }, { inputDuplicates: 1, lost: 1 })
  })

  it('refuses records that no run has written', () => {
    const history = goodHistory()
    edit(history, input, early, record => withHeader(record, 'chaos-event', '0/1/no-such-mark'))
    assert.throws(() => judged(history), /nobody of this run wrote/)
  })
})

function edit(
  history: History,
  topic: string,
  number: number,
  change: (record: History[string][number]) => History[string][number],
): void {
  const index = at(history, topic, number)
  history[topic]![index] = change(history[topic]![index]!)
}

/** Two outputs of one partition, one behind the other. */
function neighbours(history: History): readonly [number, number] {
  const one = at(history, output, early)
  const { partition } = history[output]![one]!
  return [one, history[output]!.findIndex((record, i) => i > one && record.partition === partition)]
}

function withoutHeader(record: History[string][number], name: string) {
  return { ...record, headers: record.headers.filter(([header]) => header !== name) }
}

function positionIn(history: History, topic: string, index: number): string {
  const { partition } = history[topic]![index]!
  const offset = history[topic]!.slice(0, index).filter(record => record.partition === partition).length
  return `${topic}/${partition}/${offset}`
}

function withOriginal(letter: History[string][number], position: string) {
  const [topic, partition, offset] = position.split('/')
  return Object.entries({ topic, partition, offset }).reduce(
    (record, [name, text]) => withHeader(record, `kri-original-${name}`, text!),
    letter,
  )
}
