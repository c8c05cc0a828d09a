import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { COMMANDS } from '../../src/cli/commands.ts'
import { startKri } from '../support/kri-process.ts'

const scripts = new Map<string, string>()
const folder = mkdtempSync(join(tmpdir(), 'kri-completion-'))
before(async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const process = startKri(['completion', shell])
    assert.equal(await process.ended, 0, process.log())
    scripts.set(shell, process.output())
  }
  for (const name of ['topologies', 'other.txt', 'main.ts', 'main.js']) {
    if (name.includes('.')) writeFileSync(join(folder, name), '')
    else mkdirSync(join(folder, name))
  }
})
after(() => rmSync(folder, { recursive: true, force: true }))

const has = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0
const missing = (shell: string) => (has(shell) ? false : `no ${shell} on this machine`)

/** What bash offers for the last of these words; it cuts words at "=" itself. */
function offered(...words: readonly string[]): readonly string[] {
  const program = `
compopt() { :; }
source /dev/stdin <<'SCRIPT'
${scripts.get('bash')}
SCRIPT
COMP_WORDS=(kri ${words.map(word => `'${word}'`).join(' ')})
COMP_CWORD=${words.length}
_kri
printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', program], { cwd: folder, encoding: 'utf8' })
  assert.equal(stderr, '')
  return stdout.trim().split('\n').sort()
}

describe('completion in bash', { skip: missing('bash') }, () => {
  it('commands, and the commands of a group', () => {
    assert.deepEqual(offered('c'), ['check', 'cluster', 'completion', 'console', 'consume'])
    assert.deepEqual(offered('topics', ''), ['apply', 'plan'])
    assert.deepEqual(offered('models', 'p'), ['promote', 'publish'])
  })

  it('flags of the command alone, settings too, and none that is hidden', () => {
    assert.deepEqual(offered('run', 'topologies/x.ts', '--w'), ['--workers'])
    assert.deepEqual(offered('run', '--max-in'), ['--max-in-flight-bytes', '--max-in-flight-rows'])
    assert.deepEqual(offered('run', '--as'), [''])
    assert.deepEqual(offered('topics', 'apply', '--sc'), ['--schemas'])
    assert.deepEqual(offered('topics', 'plan', '--sc'), [''])
  })

  it('values of a flag, behind a space or "="', () => {
    assert.deepEqual(offered('init', '--codec', ''), ['avro', 'json', 'raw'])
    assert.deepEqual(offered('init', '--codec', '=', 'a'), ['avro'])
    assert.deepEqual(offered('init', '--codec', '='), ['avro', 'json', 'raw'])
    assert.deepEqual(offered('run', 'x.ts', '--start', 'l'), ['latest'])
    assert.deepEqual(offered('run', 'x.ts', '--lanes', ''), [''])
  })

  it('topology modules and folders where a topology is expected, files where a file is', () => {
    assert.deepEqual(offered('run', ''), ['main.js', 'main.ts', 'topologies'])
    assert.deepEqual(offered('produce', 'main.ts', '--file', 'o'), ['other.txt'])
    assert.deepEqual(offered('init', ''), ['topologies'])
    assert.deepEqual(offered('completion', 'z'), ['zsh'])
    assert.deepEqual(offered('models', 'publish', 'main.ts', 'o'), ['other.txt'])
  })

  it('every command completes its flags', () => {
    for (const { name } of COMMANDS) assert.deepEqual(offered(...name.split(' '), '--js'), ['--json'], name)
  })
})

/** What fish offers for the end of this line. */
function offeredByFish(line: string): readonly string[] {
  const program = `source ${scriptFile('fish')}; complete -C '${line}'`
  const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', program], { cwd: folder, encoding: 'utf8' })
  assert.equal(stderr, '')
  return stdout
    .trim()
    .split('\n')
    .map(offer => offer.split('\t')[0]!)
}

function scriptFile(shell: string): string {
  const file = join(folder, `completion.${shell}`)
  writeFileSync(file, scripts.get(shell)!)
  return file
}

describe('completion in fish', { skip: missing('fish') }, () => {
  it('commands, and the commands of a group', () => {
    assert.deepEqual(offeredByFish('kri c'), ['check', 'cluster', 'completion', 'console', 'consume'])
    assert.deepEqual(offeredByFish('kri topics '), ['apply', 'plan'])
  })

  it('flags and their values', () => {
    assert.deepEqual(offeredByFish('kri run topologies/x.ts --w'), ['--workers'])
    assert.deepEqual(offeredByFish('kri init --codec '), ['avro', 'json', 'raw'])
  })
})

describe('completion in other shells', () => {
  for (const shell of ['zsh', 'fish']) {
    it(`${shell} takes the script`, { skip: missing(shell) }, () => {
      const { status, stderr } = spawnSync(shell, ['-n', scriptFile(shell)], { encoding: 'utf8' })
      assert.equal(status, 0, stderr)
    })

    it(`the script for ${shell} has every command and no loose quote`, () => {
      const script = scripts.get(shell)!
      for (const { name } of COMMANDS) assert.ok(script.includes(name.split(' ').at(-1)!), name)
      const outside = script
        .replaceAll(/^#.*$/gm, '')
        .replaceAll(/\\.|'\\''/g, '')
        .replaceAll(/'[^']*'/g, '')
      assert.doesNotMatch(outside, /'/)
    })
  }
})
