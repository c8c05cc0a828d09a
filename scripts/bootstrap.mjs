// Runs a script of this project on a fresh clone: `node scripts/bootstrap.mjs SCRIPT [arguments]`, with any Node from 20.
// Installs the dependencies when they are missing or stale, then hands over to the Node that they bring.
// Plain JavaScript without dependencies, since it runs before there are any.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const windows = process.platform === 'win32'
const [script, ...args] = process.argv.slice(2)
if (script === undefined) fail('usage: node scripts/bootstrap.mjs SCRIPT [arguments]')

const WATCH_MS = 500
// npm dies of SIGHUP without passing it on, and with SIGTERM it ends its shell only: then nobody is left who could end us.
// Started by hand we may well be meant to outlive the shell.
const starters = process.env.npm_lifecycle_event === undefined ? undefined : starterIds()

const stale = staleness()
if (stale !== undefined) install(stale)

const node = join(root, 'node_modules', 'node', 'bin', windows ? 'node.exe' : 'node')
if (!existsSync(node)) fail(`${node} is missing after npm ci: the "node" package has no build for this platform?`)
const endWithParent = new URL('./end-with-parent.mjs', import.meta.url)
const child = spawn(node, ['--conditions=kri-source', `--import=${endWithParent}`, resolve(root, script), ...args], {
  // The channel closes when this process dies, even by SIGKILL.
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
})
let isTold = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    isTold = true
    // It may have it already, as one of a group (Ctrl-C on a terminal); scripts take the same again as one.
    child.kill(signal)
  })
}
if (starters !== undefined) {
  const watch = setInterval(() => {
    if (starterIds() === starters) return
    clearInterval(watch)
    // Often it is a signal to all that ended them: once is enough.
    if (!isTold) child.kill('SIGTERM')
  }, WATCH_MS)
}
child.on('error', error => fail(`${node} cannot be run: ${error.message}`))
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code)
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
})

/** Who started this process: npm, or the shell of npm and npm. Changes when one of them ends. */
function starterIds() {
  const parent = process.ppid
  try {
    const [, option] = readFileSync(`/proc/${parent}/cmdline`, 'utf8').split('\0')
    if (option !== '-c') return `${parent}`
    return `${parent} ${/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${parent}/status`, 'utf8'))[1]}`
  } catch {
    // Without /proc, and elsewhere shells mostly hand over to the command, so that the parent is npm.
    return `${parent}`
  }
}

/** Why the installed packages are not those of package-lock.json, or undefined when they are. */
function staleness() {
  const wanted = readPackages('package-lock.json')
  const installed = readPackages(join('node_modules', '.package-lock.json'))
  if (installed === undefined) return 'node_modules is missing or incomplete'
  for (const [path, { version, optional }] of Object.entries(wanted)) {
    // Optional ones are those of other platforms, mostly.
    if (path === '' || optional) continue
    if (installed[path]?.version !== version) return `${path} is not installed as ${version}`
  }
  return undefined
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(join(root, path), 'utf8')).packages
  } catch {
    return undefined
  }
}

function install(reason) {
  process.stderr.write(`installing dependencies: ${reason}\n`)
  const npm = process.env.npm_execpath
  const [command, ...first] = npm === undefined ? [windows ? 'npm.cmd' : 'npm'] : [process.execPath, npm]
  const result = spawnSync(command, [...first, 'ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    // Standard output belongs to the script (`--json`).
    stdio: ['ignore', 2, 2],
    shell: windows && npm === undefined,
    // onnxruntime-node would fetch CUDA libraries; README says how to add them.
    env: { ONNXRUNTIME_NODE_INSTALL: 'skip', ...process.env },
  })
  if (result.status !== 0) fail(`npm ci failed (${result.error?.message ?? `exit code ${result.status}`}), see above`)
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
