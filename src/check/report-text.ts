/** The report of a check for people: what is wrong first, then what was seen. */
import { parameterLines } from '../parameters.ts'
import type { CheckReport, ExampleReport, Finding, ModelReport } from './report.ts'
import { shortJson } from './showable.ts'

export function reportAsText(report: CheckReport): string {
  const { parameters, problems, warnings, models, topics, schemas, examples, seconds } = report
  const missing = topics.filter(({ ok }) => !ok).length
  const seen = [
    ...models.map(model => mark(model.ok, modelLine(model))),
    ...(topics.length === 0
      ? []
      : [mark(missing === 0, `topics: ${topics.length - missing} of ${topics.length} as they should be`)]),
    ...schemas.map(({ subject, schema, ok, id }) =>
      mark(ok, `schema ${schema} of subject ${subject}${id === null ? '' : `: id ${id}`}`),
    ),
    ...examples.flatMap(example => exampleLines(example, report.offline)),
  ]
  const lists = [
    ...problems.flatMap(problem => ['', ...findingLines('problem', problem, problem.code)]),
    ...warnings.flatMap(warning => ['', ...findingLines('warning', warning)]),
  ]
  const end = `${count(problems.length, 'problem')}, ${count(warnings.length, 'warning')} in ${seconds.toFixed(1)} s`
  const taken = parameterLines(parameters).map(line => `   ${line}`)
  return [headOf(report), ...(taken.length === 0 ? [] : ['-  parameters', ...taken]), ...seen, ...lists, '', end].join(
    '\n',
  )
}

function headOf({ topology, offline }: CheckReport): string {
  const name = topology === null ? 'the topology cannot be loaded' : `topology ${topology}`
  return offline ? `${name} (offline: topics and registered schemas were not looked at)` : name
}

function findingLines(kind: string, { where, what, expected, got, remedy }: Finding, code?: string): string[] {
  return [
    `${kind}: ${where}: ${what}${code === undefined ? '' : ` [${code}]`}`,
    ...(expected === undefined ? [] : [`  expected  ${expected}`]),
    ...(got === undefined ? [] : [`  got       ${got}`]),
    `  do        ${remedy}`,
  ]
}

function modelLine({ steps, uri, provider, sizeBytes, loadMs }: ModelReport): string {
  const ms = Math.round(loadMs ?? 0)
  // Handlers of users have no file, and not all of them have a batch to warm up with.
  const loaded = sizeBytes ? `${sizeBytes} bytes, loaded and warmed up in ${ms} ms` : `loaded in ${ms} ms`
  const facts = provider === null ? '' : `: ${provider}, ${loaded}`
  return `model ${uri} of ${steps.map(step => `step ${step}`).join(', ')}${facts}`
}

function exampleLines({ source, from, records, failed, shown }: ExampleReport, offline: boolean): string[] {
  if (from === 'warm-up') {
    const why = offline ? 'no cluster was asked' : 'the topic holds no record'
    return [`-  example of ${source}: none, ${why}; models ran their warm-up batch alone (--example <file> gives one)`]
  }
  const origin = from === 'file' ? 'of the file' : `of ${source}, the newest`
  const failures = failed === 0 ? '' : `, ${failed} of them failed`
  // What the user calls an example must pass, of what is in a topic something must.
  const isGood = shown !== null && (from !== 'file' || failed === 0)
  const head = mark(isGood, `example: ${count(records, 'record')} ${origin}${failures}`)
  if (shown === null) return [head]
  const produced = shown.produced.map(
    ({ topic, key, value }) => `     ${topic}  ${shortJson(key)}  ${shortJson(value)}`,
  )
  return [
    head,
    `   ${shown.origin}  ${shortJson(shown.key)}  ${shortJson(shown.value)}`,
    ...(produced.length === 0 ? ['   produces nothing: a filter drops it'] : ['   produces', ...produced]),
  ]
}

function mark(ok: boolean, line: string): string {
  return `${ok ? 'ok' : 'NO'} ${line}`
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
