// npm test on a machine without Docker and without Java: what needs a cluster is skipped for all to see, and nothing fails.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from './source-files.ts'

async function runTests(...files: readonly string[]): Promise<{ code: number | null; output: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'kri-no-cluster-'))
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('KRI_') && !name.startsWith('NODE_TEST'),
  )
  const child = spawn(process.execPath, ['--conditions=kri-source', 'scripts/test.ts', ...files], {
    cwd: root,
    env: {
      ...Object.fromEntries(inherited),
      KRI_CACHE_FOLDER: folder,
      DOCKER_HOST: 'unix:///nowhere/docker.sock',
      JAVA_HOME: '/nowhere',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', text => {
      output += text
    })
  const [code] = (await once(child, 'close')) as [number | null]
  rmSync(folder, { recursive: true, force: true })
  return { code, output }
}

test('tests that need a cluster are skipped with the reason, the others run, and the exit code is 0', async () => {
  const { code, output } = await runTests('test/kafkajs/resume.test.ts', 'test/kafka/varint.test.ts')
  assert.equal(code, 0, output)
  const [, skipped = ''] = output.split('skipped, and why:')
  assert.match(skipped, /test\/kafkajs\/resume\.test\.ts: .*CLUSTER_UNAVAILABLE.*JAVA_HOME/s)
  assert.match(output, /ok {5}test\/kafka\/varint\.test\.ts .*passed/)
})
