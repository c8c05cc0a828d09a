import { GROUP_PROTOCOLS, type GroupProtocol } from '../../src/kafkajs/group-protocol.ts'
import { MemberAssignment, MemberMetadata } from '../../src/kafkajs/internals.ts'

/**
 * What a version to come may speak: a new name, under which nothing is written as it is today, before the old one, to whose
 * claims and shares it has added fields. `spoken` has a line for every change of what its leader, or itself, decodes.
 */
export function futureProtocols(): {
  readonly protocols: readonly GroupProtocol[]
  readonly spoken: readonly string[]
} {
  const [v1] = GROUP_PROTOCOLS as readonly [GroupProtocol]
  const spoken: string[] = []
  const speak = (name: string) => {
    if (spoken.at(-1) !== name) spoken.push(name)
  }
  const added = { v: 2, rack: 'a', weights: { some: 3 } }
  const v2: GroupProtocol = {
    name: 'kri-sticky-v2',
    encodeClaim: claim => turned(v1.encodeClaim(claim)),
    decodeClaim: (id, bytes) => v1.decodeClaim(id, turned(bytes)),
    assign: v1.assign,
    encodeShare: (partitions, fresh) => turned(v1.encodeShare(partitions, fresh)),
    decodeShare(bytes) {
      speak('v2')
      return v1.decodeShare(turned(bytes))
    },
  }
  const newerV1: GroupProtocol = {
    ...v1,
    encodeClaim(claim) {
      const { userData, ...rest } = MemberMetadata.decode(v1.encodeClaim(claim))
      return MemberMetadata.encode({ ...rest, userData: withFields(userData, added) })
    },
    encodeShare(partitions, fresh) {
      const { userData, ...rest } = MemberAssignment.decode(v1.encodeShare(partitions, fresh))!
      return MemberAssignment.encode({ ...rest, userData: withFields(userData, added) })
    },
    decodeShare(bytes) {
      speak('v1')
      return v1.decodeShare(bytes)
    },
  }
  return { protocols: [v2, newerV1], spoken }
}

/** Userdata from back to front: the envelope stays readable, which the broker looks at as well. */
function turned(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  const length = userDataLength(copy)
  copy.subarray(copy.length - length).reverse()
  return copy
}

/** The last field of both envelopes; its JSON has no byte that looks like a length. */
function userDataLength(bytes: Buffer): number {
  for (let length = bytes.length - 4; length >= 0; length--) {
    if (bytes.readInt32BE(bytes.length - length - 4) === length) return length
  }
  return 0
}

function withFields(userData: Buffer | null, fields: object): Buffer {
  return Buffer.from(JSON.stringify({ ...JSON.parse(String(userData)), ...fields }))
}
