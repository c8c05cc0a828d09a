import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { parseCopy, parseDockerfile } from '../../scripts/dockerfile.ts'
import { commandOf } from '../../src/cli/commands.ts'
import { CONFLUENT_VERSION } from '../../src/cluster/docker-cluster.ts'
import { CLOSING_MS } from '../../src/ops/lifecycle.ts'
import { DEFAULT_RUN_SETTINGS } from '../../src/run-settings.ts'
import { settingVariable } from '../../src/settings-names.ts'
import { settingsHelp } from '../../src/settings-schema.ts'
import { snippets } from '../repo/documents.ts'
import { root } from '../repo/source-files.ts'
import { readComposeFile } from '../support/compose-file.ts'

const path = 'docs/deploy.md'
const text = readFileSync(join(root, path), 'utf8')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

describe('docs/deploy.md', () => {
  it('builds on the image by its name, and copies what there is', () => {
    const [stage] = parseDockerfile(snippets({ path, text }, 'dockerfile')[0]!.text)
    assert.equal(stage!.from, readComposeFile().services.application!.image)
    for (const { name, text: line } of stage!.instructions) {
      if (name === 'COPY')
        for (const source of parseCopy(line).sources) assert.ok(existsSync(join(root, source)), source)
      else assert.ok(commandOf(JSON.parse(line)) !== undefined, line)
    }
    assert.ok(text.includes(`docker build --tag kafka-run-inference:${version} .`))
  })

  it('has a Kubernetes example with our settings, paths, and time to stop', () => {
    const { template } = parse(snippets({ path, text }, 'yaml')[0]!.text).spec
    const [container] = template.spec.containers
    const known = new Set(settingsHelp().map(({ name }) => settingVariable(name)))
    for (const { name } of container.env) assert.ok(known.has(name), name)
    assert.ok(commandOf(container.args) !== undefined)
    assert.equal(container.livenessProbe.httpGet.path, '/livez')
    assert.equal(container.readinessProbe.httpGet.path, '/readyz')
    const budgetMs = DEFAULT_RUN_SETTINGS.shutdownBudgetMs + CLOSING_MS
    assert.ok(template.spec.terminationGracePeriodSeconds * 1_000 > budgetMs)
    const lanes = Number(container.env.find(({ name }: { name: string }) => name === 'KRI_LANES').value)
    assert.equal(lanes, Number(container.resources.limits.cpu) - 1)
  })

  it('names services, ports, alerts and versions as they are', () => {
    const { services } = readComposeFile()
    for (const [, service] of text.matchAll(/docker compose (?:run --rm|up --scale) (\w+)/g))
      assert.ok(service! in services)
    const ports = Object.values(services).flatMap(service => service.ports ?? [])
    for (const port of ports) {
      const [first] = port.split(':')[1]!.split('-')
      assert.match(text, new RegExp(`^\\|[^|]*\\b${first}\\b`, 'm'), port)
    }
    const alerts = readFileSync(join(root, 'deploy', 'prometheus', 'alerts.yml'), 'utf8').matchAll(/alert: (\w+)/g)
    for (const [, alert] of alerts) assert.ok(text.includes(`\`${alert}\``), alert)
    assert.ok(text.includes(`registry, ${CONFLUENT_VERSION},`))
  })
})
