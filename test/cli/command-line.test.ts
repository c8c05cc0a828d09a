import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { json, text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { COMMAND_GROUPS, COMMANDS } from '../../src/cli/commands.ts'
import { createProgram, usageError } from '../../src/cli/program.ts'
import { settingsHelp } from '../../src/settings-schema.ts'
import { startKri } from '../support/kri-process.ts'

const kri = async (...args: readonly string[]) => {
  const process = startKri(args)
  const code = await process.ended
  return { code, output: process.output(), log: process.log() }
}

/** What `--help` behind these words prints, without a process for each. */
function helpOf(words: readonly string[]): string {
  let help = ''
  const writeOut = (text: string) => {
    help += text
  }
  const program = createProgram({ version: '0', settings: settingsHelp(), output: { writeOut, writeErr: assert.fail } })
  assert.throws(
    () => program.parse([...words, '--help'], { from: 'user' }),
    error => usageError(error)?.exitCode === 0,
  )
  return help
}

describe('the command line', () => {
  it('wrong usage is exit code 2, with what was probably meant', async () => {
    const command = await kri('rnu')
    assert.equal(command.code, 2)
    assert.match(command.log, /unknown command 'rnu'\n\(Did you mean run\?\)/)
    const flag = await kri('topics', 'apply', 'topologies/digits.ts', '--schema')
    assert.equal(flag.code, 2)
    assert.match(flag.log, /unknown option '--schema'\n\(Did you mean --schemas\?\)/)
    const value = await kri('cluster', 'up', '--brokers', '2')
    assert.match(value.log, /argument '2' is invalid. Allowed choices are 1, 3/)
    const number = await kri('run', 'topologies/digits.ts', '--workers', 'two')
    assert.match(number.log, /argument 'two' is invalid. expected a whole number from 1 to 256/)
  })

  it('with --json errors are one object on standard output', async () => {
    const usage = await kri('run', '--json')
    assert.equal(usage.code, 2)
    assert.deepEqual(JSON.parse(usage.output), {
      error: { code: 'USAGE', message: "missing required argument 'topology'" },
    })
    assert.equal(usage.log, '')
    const failed = await kri('describe', 'topologies/nowhere.ts', '--json')
    assert.equal(failed.code, 1)
    const { error } = JSON.parse(failed.output)
    assert.equal(error.code, 'TOPOLOGY_INVALID')
    assert.match(error.message, /nowhere\.ts/)
    assert.doesNotMatch(error.message, /TOPOLOGY_INVALID/)
  })

  it('a flag of a topology is given by its name alone, and describe shows what all parameters are', async () => {
    const { code, output } = await kri('describe', 'topologies/language.ts', '--param', 'codePoints', '--json')
    assert.equal(code, 0)
    assert.partialDeepStrictEqual(JSON.parse(output).parameters, [
      { name: 'codePoints', type: 'true or false', default: false, value: true },
      { name: 'fold', value: false },
    ])
    const nameless = await kri('describe', 'topologies/language.ts', '--param', '=true')
    assert.equal(nameless.code, 2)
    assert.match(nameless.log, /expected name=value, or the name of a flag/)
  })

  it('help says what kind of value a setting takes, and which there are', async () => {
    const output = (await kri('run', '--help')).output.replaceAll(/\s+/g, ' ')
    assert.match(output, /--tls-ca-file <file> /)
    assert.match(output, /--lanes <number> /)
    assert.match(output, /--sasl-mechanism <name> [^(]*\(choices: plain, scram-sha-256, scram-sha-512\)/)
    assert.match(output, /--log-level <name> [^(]*\(choices: debug, info, warn, error, silent; default: info\)/)
  })

  it('groups have the commands that their help lists, as the whole has', async () => {
    assert.doesNotMatch((await kri('topics', '--help')).output, /^ +help /m)
    for (const group of [[], ...Object.keys(COMMAND_GROUPS).map(name => [name])])
      assert.doesNotMatch(helpOf(group), /^ +help /m, group.join())
  })

  it('without it they are a sentence on standard error', async () => {
    const { code, output, log } = await kri('describe', 'topologies/nowhere.ts')
    assert.deepEqual([code, output], [1, ''])
    assert.match(log, /^kri: .*\[TOPOLOGY_INVALID\]/)
    assert.doesNotMatch(log, /\n {4}at /)
  })

  it('produce says what is wrong with its file before it asks the brokers', async () => {
    const produce = (file: string) =>
      kri('produce', 'topologies/digits.ts', '--file', file, '--brokers', '127.0.0.1:1', '--json')
    const missing = await produce('nowhere.ndjson')
    assert.deepEqual([missing.code, missing.log], [1, ''])
    assert.equal(JSON.parse(missing.output).error.code, 'SETTINGS_INVALID')
    assert.match(JSON.parse(missing.output).error.message, /^--file: cannot read nowhere\.ndjson: ENOENT/)
    const folder = await produce('test')
    assert.match(
      JSON.parse(folder.output).error.message,
      /^--file: cannot read test: expected a file of NDJSON, got a folder/,
    )
  })

  it('every command has help: what it does, examples that are its own, exit codes', async () => {
    const { code, output: printed } = await kri('topics', 'plan', '--help')
    assert.deepEqual([code, printed], [0, helpOf(['topics', 'plan'])], 'as the process prints it')
    for (const { name, examples } of COMMANDS) {
      const output = helpOf(name.split(' '))
      assert.match(output, new RegExp(`^Usage: kri ${name} .*--json.*Examples:\n +kri ${name}.*Exit codes:`, 's'), name)
      assert.ok(
        examples.every(([line]) => line.startsWith(name)),
        name,
      )
    }
  })

  it('help loads nothing of what commands need', async () => {
    const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
    const hooks = new URL('../support/say-loaded-modules.ts', import.meta.url).href
    const child = spawn(process.execPath, ['--conditions=kri-source', `--import=${hooks}`, main, '--help'])
    const [loaded] = await Promise.all([json(child.stderr), text(child.stdout), once(child, 'close')])
    const packages = (loaded as string[]).flatMap(url => url.match(/node_modules\/([^/]+)/)?.[1] ?? [])
    assert.deepEqual([...new Set(packages)], ['commander'])
  })

  it('whoever reads the output may stop reading', async () => {
    const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
    const child = spawn(process.execPath, ['--conditions=kri-source', main, 'run', '--help'])
    child.stdout.destroy()
    let log = ''
    child.stderr.on('data', text => {
      log += text
    })
    const [code] = await once(child, 'close')
    assert.deepEqual([code, log], [0, ''])
  })

  it('Ctrl-C ends a command that waits for a broker, at once', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const process = startKri(['topics', 'plan', 'topologies/digits.ts', '--brokers', `127.0.0.1:${port}`])
    const [socket] = await once(silent, 'connection')
    process.child.kill('SIGINT')
    // By the signal itself, which shells show as 130.
    assert.equal(await process.ended, 'SIGINT')
    socket.destroy()
    silent.close()
  })
})
