/** What members of a group tell each other through the broker: another version, or another program under the same name. */
import type { GroupMemberClaim } from '../../src/kafkajs/assigner.ts'
import { GROUP_PROTOCOLS } from '../../src/kafkajs/group-protocol.ts'
import { clientError } from '../../src/kafkajs/protocol-errors.ts'
import { must, type Target, type TargetSource } from '../target.ts'

const COUNTS = new Map([
  ['a', 4],
  ['b', 4],
  ['a.replay', 4],
])
const GOOD: GroupMemberClaim = {
  id: 'good',
  topics: ['a', 'b', 'a.replay'],
  generation: 5,
  owned: new Map([
    ['a', [0, 1]],
    ['b', [2]],
  ]),
}

const [protocol] = GROUP_PROTOCOLS as [(typeof GROUP_PROTOCOLS)[number]]

function run(bytes: Buffer): void {
  const body = bytes.subarray(1)
  try {
    if (((bytes[0] ?? 0) & 1) === 0) assigned(body)
    else protocol.decodeShare(body)
  } catch (error) {
    throw error instanceof Error && error.name === 'Violation' ? error : clientError(error, 'Joining a group')
  }
}

function assigned(claim: Buffer): void {
  const shares = protocol.assign([GOOD, protocol.decodeClaim('other', claim)], COUNTS)
  for (const [topic, count] of COUNTS) {
    const given = [...shares.values()].flatMap(share => share.get(topic) ?? []).sort((a, b) => a - b)
    must(
      given.join() === Array.from({ length: count }, (_, i) => i).join(),
      'every partition goes to exactly one member',
    )
  }
}

export const groups: TargetSource = {
  name: 'groups',
  about: 'what members of a consumer group tell each other: claims and shares',
  open: (): Target => {
    const claim = protocol.encodeClaim({
      topics: ['a', 'b'],
      generation: 4,
      owned: new Map([
        ['a', [2, 3]],
        ['b', [0]],
      ]),
    })
    const share = protocol.encodeShare(
      new Map([
        ['a', [0, 1]],
        ['b', []],
      ]),
      ['b'],
    )
    return {
      seeds: [Buffer.concat([Buffer.of(0), claim]), Buffer.concat([Buffer.of(1), share])],
      tokens: [
        'null',
        '[]',
        '{}',
        '"a"',
        '{"g":',
        '"owned":',
        '"fresh":',
        '1e9',
        '-1',
        '0.5',
        '"__proto__":',
        '{"a":[0,0,-1]}',
      ].map(token => Buffer.from(token)),
      codes: ['BROKER_REFUSED'],
      run,
    }
  },
}
