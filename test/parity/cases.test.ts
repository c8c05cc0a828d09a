import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { DIFFERENT_ON_PURPOSE } from '../../parity/different-on-purpose.ts'
import { normalised } from '../../parity/normalise.ts'
import { readCases } from '../../parity/oracle-case.ts'
import { jsonReport } from '../../parity/report.ts'
import { type Verdict, verdictOf } from '../../parity/verdict.ts'
import { WORDINGS } from '../../parity/wordings.ts'

const PAGE = readFileSync('docs/beam-parity.md', 'utf8')
const QUIRK = /^(Q([1-9]|1[0-4])|D[1-9]|windows|watermark|bundles|pickle bytes|Python types)$/

const cases = readCases()
const verdicts: Verdict[] = []

describe('recorded cases of Apache Beam', () => {
  for (const oracle of cases) {
    it(`${oracle.name}: the same, or different on purpose in exactly the fields that the table names`, async () => {
      const verdict = await verdictOf(oracle)
      verdicts.push(verdict)
      assert.notEqual(verdict.outcome, 'failed', verdict.why)
    })
  }

  it('are all there, and the report counts each once', () => {
    assert.equal(cases.length, 85)
    const { cases: count, same, differentOnPurpose, failed } = jsonReport(verdicts)
    assert.equal(count, 85)
    assert.equal(same + differentOnPurpose.length + failed.length, 85)
  })
})

describe('the table of differences on purpose', () => {
  it('names cases that exist, and fields', () => {
    const names = new Set(cases.map(({ name }) => name))
    const empty = DIFFERENT_ON_PURPOSE.filter(entry => !names.has(entry.case) || entry.fields.length === 0)
    assert.deepEqual(empty, [])
  })

  it('has what its cases give here beside it, and of no other case', () => {
    const differing = [...new Set(DIFFERENT_ON_PURPOSE.map(entry => `${entry.case}.json`))].sort()
    assert.deepEqual(readdirSync('parity/here').sort(), differing)
  })

  it('gives a reason from the list, which docs/beam-parity.md explains in a sentence', () => {
    for (const { quirk, why } of DIFFERENT_ON_PURPOSE) {
      assert.match(quirk, QUIRK)
      assert.match(why, /^[A-Z].*\.$/)
      assert.match(
        PAGE,
        new RegExp(`^\\| ${quirk} \\| [A-Z].{20,}\\. \\|$`, 'm'),
        `docs/beam-parity.md has no row for ${quirk}`,
      )
    }
  })

  it('has a row in docs/beam-parity.md for every quirk of Beam and every decision, repeated or not', () => {
    const expected = [
      ...Array.from({ length: 14 }, (_, i) => `Q${i + 1}`),
      ...Array.from({ length: 9 }, (_, i) => `D${i + 1}`),
      ...['windows', 'watermark', 'bundles', 'pickle bytes', 'Python types'],
    ]
    const rows = [...PAGE.matchAll(/^\| (Q\d+|D\d|[a-zP][\w ]+) \| [A-Z].*\. \|$/gm)].map(([, quirk]) => quirk)
    assert.deepEqual(
      rows.filter(row => QUIRK.test(row!)),
      expected,
    )
  })
})

describe('docs/beam-parity.md', () => {
  it('names tests that are there', () => {
    const files = [...PAGE.matchAll(/`(test\/[^`]+\.test\.ts)`/g)].map(([, file]) => file!)
    assert.ok(files.length > 5)
    assert.deepEqual(
      files.filter(file => !existsSync(file)),
      [],
    )
  })
})

describe('the wordings that count as the same', () => {
  it('are all listed in docs/beam-parity.md', () => {
    for (const { meaning } of WORDINGS)
      assert.ok(PAGE.includes(`| ${meaning} |`), `docs/beam-parity.md does not list: ${meaning}`)
  })

  it('are all of something that was recorded', () => {
    const said = cases.flatMap(({ expected }) => errorsIn(normalised(expected)))
    for (const { meaning, beam } of WORDINGS)
      assert.ok(
        said.some(text => beam.test(text)),
        `nobody says: ${meaning}`,
      )
  })
})

/** `Type: message` of every error in it. */
function errorsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  const { type, message } = value as { readonly type?: unknown; readonly message?: unknown }
  const own = typeof type === 'string' && typeof message === 'string' ? [`${type}: ${message}`] : []
  return [...own, ...Object.values(value).flatMap(errorsIn)]
}
