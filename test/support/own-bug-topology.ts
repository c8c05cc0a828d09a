// Codecs with a fault in a place where no record can be blamed for it.
import { from, text, topology, utf8, withParameters } from 'kafka-run-inference'
import type { Codec } from '../../src/kafka/codec.ts'

export default withParameters({ prefix: text('of its topics'), at: text('prepare or promise') }, ({ prefix, at }) => {
  const sound = utf8()
  const faulty: Codec<string> = {
    ...sound,
    label: 'faulty',
    openDecoder: async context => ({
      ...(await sound.openDecoder(context)),
      prepare() {
        const nothing = undefined as unknown as { length: number }
        if (at === 'prepare') return nothing.length as never
        return Promise.resolve().then(() => void nothing.length)
      },
    }),
  }
  return topology(`${prefix}bug`, [from(`${prefix}in`, faulty).to(`${prefix}out`, utf8())])
})
