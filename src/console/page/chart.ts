/** A chart of the last minutes. It is a picture with a text beside it that says the same in short. */
import { el, setChildren } from './elements.ts'
import { type History, KEPT_SECONDS, type SeriesName } from './history.ts'
import { morph } from './morph.ts'
import uPlot from './uplot.js'

export interface ChartLine {
  readonly name: SeriesName
  readonly label: string
  /** Which of the colours of `console.css`, as `--line-<n>`. */
  readonly colour: 1 | 2 | 3 | 4
  readonly dashed?: boolean
}

export interface Chart {
  readonly element: HTMLElement
  update(history: History): void
  close(): void
}

const HEIGHT_PX = 150
/** A page that was just opened shows so much, and more as it comes. */
const LEAST_SECONDS = 60
const DASH_PX = [5, 4]

/** `write`: a value as text, with its unit. */
export function createChart(title: string, lines: readonly ChartLine[], write: (value: number) => string): Chart {
  const legend = el('ul', { class: 'legend' })
  const plot = el('div', { class: 'plot', role: 'img', 'aria-label': title })
  const element = el('figure', { class: 'chart' }, el('figcaption', {}, el('h3', {}, title), legend), plot)
  let drawn: uPlot | undefined
  let newest: History | undefined

  const draw = () => {
    drawn?.destroy()
    setChildren(plot)
    const width = Math.max(120, Math.floor(plot.clientWidth))
    drawn = new uPlot(options(lines, write, width), newest === undefined ? [[]] : dataOf(newest, lines), plot)
  }
  // Colours are read when it is drawn.
  const scheme = matchMedia('(prefers-color-scheme: dark)')
  scheme.addEventListener('change', draw)
  const resized = new ResizeObserver(() => {
    if (drawn === undefined) draw()
    else drawn.setSize({ width: Math.max(120, Math.floor(plot.clientWidth)), height: HEIGHT_PX })
  })
  resized.observe(plot)

  return {
    element,
    update(history) {
      newest = history
      drawn?.setData(dataOf(history, lines) as uPlot.AlignedData)
      const said = lines.map(line => ({ line, ...summary(history.values(line.name)) }))
      morph(
        legend,
        ...said.map(({ line, now }) =>
          el(
            'li',
            { 'data-id': line.name, class: `line-${line.colour}${line.dashed === true ? ' dashed' : ''}` },
            el('span', {}, `${line.label} `),
            el('b', {}, now === undefined ? '–' : write(now)),
          ),
        ),
      )
      const words = said.map(({ line, now, least, most }) =>
        now === undefined
          ? `${line.label}: not known`
          : `${line.label}: now ${write(now)}, between ${write(least)} and ${write(most)}`,
      )
      plot.setAttribute('aria-label', `${title}, the last minutes. ${words.join('; ')}`)
    },
    close() {
      resized.disconnect()
      scheme.removeEventListener('change', draw)
      drawn?.destroy()
    },
  }
}

function dataOf(history: History, lines: readonly ChartLine[]): uPlot.AlignedData {
  return [history.times, ...lines.map(({ name }) => history.values(name))] as unknown as uPlot.AlignedData
}

function options(lines: readonly ChartLine[], write: (value: number) => string, width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string) => style.getPropertyValue(name).trim()
  const axis = {
    stroke: colour('--muted'),
    font: '11px system-ui, sans-serif',
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  }
  return {
    width,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 8, 0, 0],
    scales: {
      x: { range: (_, min, max) => [Math.max(max - KEPT_SECONDS, Math.min(min, max - LEAST_SECONDS)), max] },
      y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] },
    },
    axes: [
      { ...axis, values: (_, at) => at.map(clock), space: 90, size: 24 },
      { ...axis, values: (_, at) => at.map(value => (value === 0 ? '0' : write(value))), size: 62, space: 34 },
    ],
    series: [
      {},
      ...lines.map(line => ({
        label: line.label,
        stroke: colour(`--line-${line.colour}`),
        width: 1.5,
        points: { show: false },
        ...(line.dashed === true ? { dash: DASH_PX } : {}),
      })),
    ],
  }
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toTimeString().slice(0, 8)
}

function summary(values: readonly (number | null)[]) {
  const known = values.filter(value => value !== null)
  return { now: values.at(-1) ?? undefined, least: Math.min(...known), most: Math.max(...known) }
}
