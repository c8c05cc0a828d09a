import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'

function parity(...args: readonly string[]) {
  return spawnSync(process.execPath, ['--conditions=kri-source', 'parity/main.ts', ...args], { encoding: 'utf8' })
}

describe('npm run parity', () => {
  it('--json prints one line of counts, reasons and failures, and nothing else', () => {
    const { stdout, stderr, status } = parity('--json', '--only', 'onnx_num_bytes', '--only', 'unkeyed_basic')
    const why = 'The bytes of a row are counted, not those of one of its numbers.'
    const different = [{ case: 'onnx_num_bytes', quirk: 'Q13', why }]
    assert.equal(stdout, `${JSON.stringify({ cases: 2, same: 1, differentOnPurpose: different, failed: [] })}\n`)
    assert.deepEqual([stderr, status], ['', 0])
  })

  it('prints a line for each case and the sum', () => {
    const { stdout, status } = parity('--only', 'keyed_raw')
    assert.equal(stdout, 'same       keyed_raw_results\n1 cases: 1 the same, 0 different on purpose, 0 failed\n')
    assert.equal(status, 0)
  })

  it('--help explains it; a name that no case has ends with 1', () => {
    assert.deepEqual([parity('--help').status, parity('--only', 'nothing').status], [0, 1])
    assert.match(parity('--help').stdout, /--only.*--json/s)
  })
})
