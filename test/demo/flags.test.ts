import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BadFlag, HELP, parseFlags } from '../../demo/flags.ts'

describe('flags of the demo', () => {
  it('has defaults', () => {
    assert.deepEqual(parseFlags([]), { records: 54_000, partitions: 4, json: false, keep: false, help: false })
  })

  it('takes every flag that its help names', () => {
    const flags = parseFlags(['--records', '2', '--partitions=100', '--json', '--keep', '--help'])
    assert.deepEqual(flags, { records: 2, partitions: 100, json: true, keep: true, help: true })
    for (const name of Object.keys(flags)) assert.match(HELP, new RegExp(`--${name}`))
  })

  for (const args of [
    ['--records', '0'],
    ['--records', '1'],
    ['--records', '5000001'],
    ['--records', '1e3'],
    ['--records'],
    ['--partitions', '101'],
    ['--partitions=-1'],
    ['--unknown'],
    ['word'],
  ]) {
    it(`refuses ${args.join(' ')}, and says why`, () => {
      assert.throws(
        () => parseFlags(args),
        (error: unknown) => {
          assert.ok(error instanceof BadFlag)
          assert.match(error.message, new RegExp(args[0]!.split('=')[0]!))
          return true
        },
      )
    })
  }
})
