// What becomes of a script of `npm run` when it, or whoever started it, is told to end.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { root } from '../repo/source-files.ts'
import { eventually } from '../support/eventually.ts'

const COMMAND = `"${process.execPath}" scripts/bootstrap.mjs test/support/draining-script.ts`
/** As npm does it: a shell, which is not always replaced by its command. */
const LIKE_NPM = `
  const { spawn } = require('node:child_process')
  const shell = spawn('sh', ['-c', process.argv[1]], { stdio: 'inherit' })
  console.log('shell', shell.pid)
  setInterval(() => {}, 1000)`

interface Started {
  readonly child: ChildProcess
  output(): string
  /** The process id that was printed after this word. */
  pid(word: string): number
}

describe('scripts/bootstrap.mjs', () => {
  const groups: ChildProcess[] = []
  after(() => {
    for (const { pid } of groups) if (isThere(-pid!)) process.kill(-pid!, 'SIGKILL')
  })

  const start = async (file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Started> => {
    const child = spawn(file, args, {
      cwd: root,
      env: { ...process.env, npm_lifecycle_event: undefined, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    })
    groups.push(child)
    let text = ''
    child.stdout.setEncoding('utf8').on('data', more => {
      text += more
    })
    await eventually('the script runs', () => /^pid \d+$/m.test(text))
    return { child, output: () => text, pid: word => Number(new RegExp(`^${word} (\\d+)$`, 'm').exec(text)![1]) }
  }

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    it(`${signal} to the whole group, without a terminal, drains`, async () => {
      const script = join('test', 'support', 'draining-script.ts')
      const { child, output } = await start(process.execPath, ['scripts/bootstrap.mjs', script], {})
      process.kill(-child.pid!, signal)
      await eventually('all of it has ended', () => !isThere(-child.pid!))
      assert.match(output(), new RegExp(`stopping ${signal}\ndrained\n$`))
      assert.equal(child.exitCode, 0)
    })
  }

  // A command after it keeps every shell from being replaced.
  for (const command of [COMMAND, `${COMMAND}; true`]) {
    for (const [victim, signal] of [
      ['npm', 'SIGHUP'],
      ['npm', 'SIGKILL'],
      ['its shell', 'SIGTERM'],
    ] as const) {
      it(`ends in order when ${victim} dies of ${signal}${command === COMMAND ? '' : ', under a shell that stays'}`, async () => {
        const { child, output, pid } = await start(process.execPath, ['-e', LIKE_NPM, command], {
          npm_lifecycle_event: 'kri',
        })
        process.kill(victim === 'npm' ? child.pid! : pid('shell'), signal)
        await eventually('the script has ended', () => !isThere(pid('pid')))
        assert.match(output(), /stopping SIGTERM\ndrained\n$/)
      })
    }
  }
})

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
