/** How it goes: what comes and leaves, what waits, where time is spent, how batches form. */
import type { ConsoleAbout, ConsoleSnapshot, Quantiles } from '../console-api.ts'
import { type Chart, createChart } from './chart.ts'
import { type Child, el, svg, unknown } from './elements.ts'
import { count, counted, milliseconds, rate, seconds } from './format.ts'
import { morph } from './morph.ts'
import type { OpenPage } from './page.ts'
import { table } from './table.ts'

export const openOverview: OpenPage = ({ about, history }) => {
  const whyUnknown =
    about.scope === 'instance'
      ? 'Latency and batches are not known yet.'
      : 'Latency and batches are known to each instance: it tells them where a step follows published models, and its own console shows them.'
  const tiles = el('div', { class: 'tiles' })
  const batches = el('div', { class: 'columns' })
  const charts: Chart[] = [
    createChart(
      'Records a second',
      [
        { name: 'in', label: 'in', colour: 1 },
        { name: 'out', label: 'out', colour: 2, dashed: true },
        { name: 'failed', label: 'failed', colour: 4 },
      ],
      rate,
    ),
    createChart('Lag in records', [{ name: 'lagRecords', label: 'waiting', colour: 1 }], count),
    createChart('Lag in seconds', [{ name: 'lagSeconds', label: 'oldest waits', colour: 3 }], seconds),
  ]
  const drawn = el('div', { class: 'charts' }, ...charts.map(({ element }) => element))
  /** Of an application that tells none there would be nothing in it, ever. */
  let latency: Chart | undefined
  return {
    title: 'Overview',
    content: [
      tiles,
      el('p', { class: 'note' }, 'Charts show the last five minutes, as far as this page was open.'),
      drawn,
      batches,
    ],
    update(snapshot) {
      morph(tiles, ...tilesOf(snapshot))
      morph(batches, ...batchesOf(snapshot, about.scope, whyUnknown))
      if (latency === undefined && (about.scope === 'instance' || snapshot.latency !== undefined)) {
        latency = latencyChart()
        charts.push(latency)
        drawn.append(latency.element)
      }
      for (const chart of charts) chart.update(history)
    },
    close() {
      for (const chart of charts) chart.close()
    },
  }
}

function latencyChart(): Chart {
  return createChart(
    'Latency',
    [
      { name: 'queueP50', label: 'queue p50', colour: 1 },
      { name: 'queueP99', label: 'queue p99', colour: 1, dashed: true },
      { name: 'computeP50', label: 'compute p50', colour: 3 },
      { name: 'computeP99', label: 'compute p99', colour: 3, dashed: true },
    ],
    milliseconds,
  )
}

function tilesOf({ throughput, lag, latency, batches }: ConsoleSnapshot): readonly HTMLElement[] {
  return [
    tile('In', ...records(throughput.inPerSecond)),
    tile('Out', ...records(throughput.outPerSecond)),
    tile('Failed', ...records(throughput.failedPerSecond), (throughput.failedPerSecond ?? 0) > 0),
    tile('Lag', count(lag.records), 'records'),
    tile('Oldest waits', lag.seconds === undefined ? unknown() : seconds(lag.seconds), 'for its turn'),
    tile('In the queue, p50', ...quantiles(latency?.queue)),
    tile('In the model, p50', ...quantiles(latency?.compute)),
    tile('In all, p50', ...quantiles(latency?.total)),
    tile(
      'Batches',
      batches === undefined ? unknown() : rate(batches.perSecond),
      batches === undefined ? '' : 'a second',
    ),
    tile(
      'Rows a batch',
      batches?.meanRows === undefined ? unknown() : rate(batches.meanRows),
      batches?.meanRows === undefined ? '' : 'on average',
    ),
  ]
}

function records(perSecond: number | undefined): [Child, string] {
  return perSecond === undefined ? [unknown(), ''] : [rate(perSecond), 'records/s']
}

function quantiles(of: Quantiles | undefined): [Child, string] {
  return of === undefined ? [unknown(), ''] : [milliseconds(of.p50), `p99 ${milliseconds(of.p99)}`]
}

function tile(name: string, value: Child, unit: string, isBad = false): HTMLElement {
  return el(
    'div',
    { class: isBad ? 'tile bad' : 'tile', 'data-id': name },
    el('h2', {}, name),
    el('p', {}, el('b', {}, value), unit !== '' && el('span', {}, ` ${unit}`)),
  )
}

function batchesOf(
  { batches, told }: ConsoleSnapshot,
  scope: ConsoleAbout['scope'],
  whyUnknown: string,
): readonly Child[] {
  const teller =
    told &&
    `Latency and batches are what ${told.instances} of ${counted(told.members, 'instance')} told last; each tells every 30 s.`
  if (batches === undefined) return [el('p', { class: 'note' }, teller ?? whyUnknown)]
  const span = scope === 'instance' ? 'over the last minute' : 'as told last'
  const closed = Object.entries(batches.closed).sort(([, a], [, b]) => b - a)
  const mostClosed = Math.max(...closed.map(([, each]) => each), 0)
  const mostSizes = Math.max(...batches.sizes.map(size => size.count), 0)
  return [
    teller !== undefined && el('p', { class: 'note' }, teller),
    el(
      'section',
      {},
      el('h2', {}, 'Why batches were closed'),
      table(
        'Why batches were closed',
        [{ label: 'Why' }, { label: 'A second', numeric: true }, { label: 'Share', unseen: true }],
        closed.map(([why, each]) => ({ id: why, cells: [why, rate(each), bar(each, mostClosed)] })),
        'No batch was closed in the last seconds.',
      ),
    ),
    el(
      'section',
      {},
      el('h2', {}, `Rows a batch, ${span}`),
      table(
        'Rows a batch',
        [{ label: 'Rows up to' }, { label: 'Batches', numeric: true }, { label: 'Share', unseen: true }],
        batches.sizes.map(size => ({
          id: String(size.upTo),
          cells: [
            Number.isFinite(size.upTo) ? count(size.upTo) : 'more',
            count(size.count),
            bar(size.count, mostSizes),
          ],
        })),
        'No batch ran lately.',
      ),
    ),
  ]
}

function bar(value: number, most: number): SVGElement {
  const width = most === 0 ? 0 : Math.round((100 * value) / most)
  return svg(
    'svg',
    { class: 'bar', viewBox: '0 0 100 10', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    svg('rect', { width, height: 10 }),
  )
}
