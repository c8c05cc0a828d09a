import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { commandOf } from '../../src/cli/commands.ts'
import { KAFKA_VERSION, REGISTRY_VERSION } from '../../src/cluster/install.ts'
import { CLOSING_MS } from '../../src/ops/lifecycle.ts'
import { DEFAULT_RUN_SETTINGS } from '../../src/run-settings.ts'
import { settingFlag, settingVariable } from '../../src/settings-names.ts'
import { settingsHelp } from '../../src/settings-schema.ts'
import { root } from '../repo/source-files.ts'
import { COMPOSE_PATH, mountOf, readComposeFile } from '../support/compose-file.ts'
import { complaints } from '../support/lint-tools.ts'

// The order of keys is for readers to judge; ports are quoted, only not with the kind of quotes that it looks for.
const DISABLED = [
  'service-keys-order',
  'services-alphabetical-order',
  'top-level-properties-order',
  'require-quotes-in-ports',
]

const compose = readComposeFile()
const services = Object.entries(compose.services)
const ours = services.filter(([, { build }]) => build !== undefined)
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

describe('docker-compose.yml', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kri-compose-'))
  after(() => rmSync(folder, { recursive: true }))
  const lint = (path: string) =>
    complaints(process.execPath, [
      join(root, 'node_modules', 'dclint', 'bin', 'dclint.cjs'),
      ...[path, '--max-warnings', '0'],
      ...DISABLED.flatMap(rule => ['--disable-rule', rule]),
    ])

  it('is what the schema of the Compose specification and its linter ask for', async () => {
    assert.equal(await lint(COMPOSE_PATH), undefined)
  })

  it('would not pass with a key that Compose does not have', async () => {
    const wrong = join(folder, 'docker-compose.yml')
    writeFileSync(wrong, readFileSync(COMPOSE_PATH, 'utf8').replace('stop_grace_period', 'stop_grace_periods'))
    assert.match((await lint(wrong)) ?? '', /stop_grace_periods|invalid-schema/)
  })

  it('names every image by its full version: ours by the package, others as the local cluster has them', () => {
    for (const [name, { image }] of services) assert.match(image, /:v?\d+\.\d+\.\d+$/, name)
    for (const [name, { image }] of ours) assert.equal(image, `kafka-run-inference:${version}`, name)
    assert.equal(compose.services.kafka!.image, `apache/kafka:${KAFKA_VERSION}`)
    assert.equal(compose.services.registry!.image, `apicurio/apicurio-registry:${REGISTRY_VERSION}`)
  })

  it('mounts what exists, and writes only to named volumes', () => {
    for (const [name, { volumes = [] }] of services) {
      for (const { source, mode } of volumes.map(mountOf)) {
        if (!source.startsWith('.')) assert.ok(source in compose.volumes, `${name}: ${source}`)
        else {
          assert.ok(existsSync(join(root, source)), `${name}: ${source}`)
          assert.equal(mode, 'ro', `${name}: ${source}`)
        }
      }
    }
  })

  it('listens on loopback only', () => {
    const ports = services.flatMap(([, service]) => service.ports ?? [])
    assert.ok(ports.length >= 5)
    for (const port of ports) assert.match(port, /^127\.0\.0\.1:/)
  })

  it('waits only for what is there and can be waited for', () => {
    for (const [name, { depends_on = {} }] of services) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        const awaited = compose.services[other]
        assert.ok(awaited !== undefined, `${name} waits for ${other}`)
        if (condition === 'service_healthy') assert.ok(awaited.healthcheck?.test !== undefined, other)
        else assert.deepEqual([condition, awaited.restart], ['service_completed_successfully', 'no'], other)
      }
    }
  })

  it('bounds whatever keeps running, and runs ours with no rights and nothing to write', () => {
    for (const [name, { restart, deploy }] of services)
      if (restart !== 'no') assert.ok(deploy?.resources.limits.memory !== undefined, name)
    for (const [name, service] of ours) assert.equal(service.read_only, true, name)
  })

  it('gives the application the time that a stop takes', () => {
    const seconds = Number(/^(\d+)s$/.exec(compose.services.application!.stop_grace_period!)![1])
    assert.ok(seconds * 1_000 > DEFAULT_RUN_SETTINGS.shutdownBudgetMs + CLOSING_MS)
  })

  it('sets only settings that exist, with addresses that its services have', () => {
    const known = new Set(settingsHelp().map(({ name }) => settingVariable(name)))
    for (const [name, { environment = {} }] of ours)
      for (const variable of Object.keys(environment)) assert.ok(known.has(variable), `${name}: ${variable}`)
    const { KRI_BROKERS, KRI_REGISTRY_URL } = compose.services.application!.environment!
    const listeners = compose.services.kafka!.environment!.KAFKA_ADVERTISED_LISTENERS!
    assert.ok(listeners.split(',').includes(`INTERNAL://${KRI_BROKERS}`))
    const registry = new URL(KRI_REGISTRY_URL!)
    assert.equal(registry.hostname, 'registry')
    assert.equal(registry.port, compose.services.registry!.ports![0]!.split(':').at(-1))
  })

  it('runs commands, flags and files that exist', () => {
    assert.deepEqual(ours.map(([name]) => name).sort(), ['application', 'produce', 'topics'])
    for (const [name, { command, volumes }] of ours) {
      const spec = commandOf(command!)
      assert.ok(spec !== undefined, `${name}: ${command!.join(' ')}`)
      const settings = settingsHelp().filter(({ group }) => spec.settings?.includes(group))
      const flags = [
        ...(spec.options ?? []).map(option => option.flags.split(' ')[0]!),
        ...settings.map(s => settingFlag(s.name)),
      ]
      const mounted = volumes!.map(volume => mountOf(volume).target.replace('/app/', ''))
      for (const word of command!.slice(spec.name.split(' ').length)) {
        if (word.startsWith('--')) assert.ok(flags.includes(word), `${name}: ${word}`)
        else if (word.includes('/')) {
          assert.ok(existsSync(join(root, word)), `${name}: ${word}`)
          assert.ok(mounted.includes(word.split('/')[0]!), `${name}: ${word} is mounted`)
        }
      }
    }
  })

  it('asks the registry for its health with a command that tells 200 from anything else', async () => {
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/health/ready' ? status : 404).end('{}\n')
    })
    let status = 200
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const [, shell, ...args] = compose.services.registry!.healthcheck!.test!
    // Compose takes `$$` for `$`.
    const ask = () =>
      promisify(execFile)(
        shell!,
        args.map(arg => arg.replaceAll('$$', '$').replace('/8080', `/${port}`)),
      )
    try {
      await ask()
      status = 503
      await assert.rejects(ask())
    } finally {
      server.close()
    }
  })
})
