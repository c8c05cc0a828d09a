import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { createMetrics } from '../../src/ops/metrics.ts'
import { root } from '../repo/source-files.ts'
import { mountOf, readComposeFile } from '../support/compose-file.ts'
import { complaints, promtool } from '../support/lint-tools.ts'
import { promqlNames } from '../support/promql.ts'

const read = (path: string) => readFileSync(join(root, path), 'utf8')
const compose = readComposeFile()
const tool = await promtool()

/** Set by Prometheus. */
const SCRAPED_LABELS = ['instance', 'job']

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: Readonly<Record<string, string>>
}
const rules = (parse(read('deploy/prometheus/alerts.yml')) as { groups: { rules: Rule[] }[] }).groups[0]!.rules
const prometheus = parse(read('deploy/prometheus/prometheus.yml')) as {
  rule_files: string[]
  scrape_configs: { job_name: string; dns_sd_configs: { names: string[]; port: number }[] }[]
}
const dashboard = JSON.parse(read('deploy/grafana/dashboards/kafka-run-inference.json')) as {
  templating: { list: { name: string; definition: string; datasource: { uid: string } }[] }
  panels: {
    id: number
    title: string
    datasource?: { uid: string }
    gridPos: { x: number; y: number; w: number; h: number }
    targets?: { expr: string; legendFormat: string }[]
  }[]
}

describe('Prometheus', () => {
  it('takes its files', { skip: tool.skip }, async () => {
    const config = join(root, 'deploy', 'prometheus', 'prometheus.yml')
    assert.equal(await complaints(tool.path, ['check', 'config', config]), undefined)
  })

  it('raises each alert when it should, and none when all is well', { skip: tool.skip }, async () => {
    const tests = join(root, 'test', 'deploy', 'alerts.test.yml')
    assert.equal(await complaints(tool.path, ['test', 'rules', tests]), undefined)
    for (const { alert } of rules) assert.ok(read('test/deploy/alerts.test.yml').includes(alert), `${alert} is tested`)
  })

  it('finds its rules, and asks services that exist on the port that they listen on', () => {
    for (const file of prometheus.rule_files) assert.ok(read(join('deploy/prometheus', file)) !== '')
    const [{ dns_sd_configs: targets }] = prometheus.scrape_configs as [(typeof prometheus.scrape_configs)[0]]
    for (const { names, port } of targets) {
      for (const name of names) {
        const service = compose.services[name]
        assert.ok(service !== undefined, name)
        assert.ok(service.networks.some(network => compose.services.prometheus!.networks.includes(network)))
      }
      assert.match(read('Dockerfile'), new RegExp(`KRI_HTTP_PORT=${port}\\b`))
    }
    assert.ok(mounts('prometheus').includes('./deploy/prometheus -> /etc/prometheus'))
    assert.ok(compose.services.prometheus!.command!.includes('--config.file=/etc/prometheus/prometheus.yml'))
  })

  it('has alerts whose texts name the metrics and labels that there are', async () => {
    const known = await knownNames()
    for (const { alert, expr, annotations, labels } of rules) {
      check(alert, expr, known)
      assert.ok(['page', 'ticket'].includes(labels.severity), alert)
      assert.ok(annotations.summary && annotations.description, alert)
    }
  })
})

describe('the Grafana dashboard', () => {
  const panels = dashboard.panels.filter(({ targets }) => targets !== undefined)

  it('asks for metrics and labels that there are, in PromQL', async () => {
    const known = await knownNames()
    assert.ok(panels.length > 15)
    for (const { title, targets } of panels) for (const { expr } of targets!) check(title, expr, known)
    for (const { definition } of dashboard.templating.list)
      check('variable', definition.replace(/^label_values\((.+), (\w+)\)$/, 'sum by ($2) ($1)'), known)
  })

  it('names in legends only labels that its expressions keep', () => {
    for (const { title, targets } of panels) {
      for (const { expr, legendFormat } of targets!) {
        const { labels } = promqlNames(expr)
        for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
          assert.ok(labels.has(label!), `${title}: ${label}`)
      }
    }
  })

  it('has panels that do not overlap, with ids of their own', () => {
    assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length)
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    )
    assert.equal(new Set(cells).size, cells.length)
    assert.ok(dashboard.panels.every(({ gridPos: { x, w } }) => x + w <= 24))
  })

  it('is found, with its source of data, by a Grafana that is started as Compose does', () => {
    const [source] = (
      parse(read('deploy/grafana/provisioning/datasources/prometheus.yml')) as {
        datasources: { uid: string; url: string }[]
      }
    ).datasources as [{ uid: string; url: string }]
    const url = new URL(source.url)
    assert.equal(url.port, compose.services[url.hostname]!.ports![0]!.split(':').at(-1))
    const uids = [...dashboard.panels, ...dashboard.templating.list].flatMap(({ datasource }) => datasource?.uid ?? [])
    assert.deepEqual([...new Set(uids)], [source.uid])
    const [provider] = (
      parse(read('deploy/grafana/provisioning/dashboards/dashboards.yml')) as {
        providers: { options: { path: string } }[]
      }
    ).providers as [{ options: { path: string } }]
    assert.ok(mounts('grafana').includes(`./deploy/grafana/dashboards -> ${provider.options.path}`))
    const home = compose.services.grafana!.environment!.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH!
    assert.deepEqual(globSync('*.json', { cwd: join(root, 'deploy/grafana/dashboards') }), [home.split('/').at(-1)])
  })
})

function mounts(service: string): readonly string[] {
  return compose.services[service]!.volumes!.map(mountOf).map(({ source, target }) => `${source} -> ${target}`)
}

/** The labels of every metric, as docs/metrics.md tells them, which another test keeps equal to the code. */
async function knownNames(): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = [...read('docs/metrics.md').matchAll(/^\| `(\w+)` *\| (\w+) *\| ([^|]*)\|/gm)]
  const labels = new Map(rows.map(([, name, , list]) => [name!, list!.split(',').map(label => label.trim())]))
  const known = new Map<string, readonly string[]>()
  for (const { name, type } of await createMetrics().list()) {
    const own = labels.get(name)
    assert.ok(own !== undefined, `docs/metrics.md tells the labels of ${name}`)
    known.set(name, own)
    if (type !== 'histogram') continue
    known.set(`${name}_bucket`, [...own, 'le'])
    for (const part of ['sum', 'count']) known.set(`${name}_${part}`, own)
  }
  return known
}

function check(what: string, expression: string, known: ReadonlyMap<string, readonly string[]>): void {
  const { metrics, labels } = promqlNames(expression)
  assert.ok(metrics.size > 0, `${what} asks for nothing`)
  for (const metric of metrics) assert.ok(known.has(metric), `${what}: no metric ${metric}`)
  const possible = new Set([...SCRAPED_LABELS, ...[...metrics].flatMap(metric => known.get(metric)!)])
  for (const label of labels) assert.ok(possible.has(label), `${what}: ${[...metrics]} has no label ${label}`)
}
