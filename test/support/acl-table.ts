import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { Acl } from './kafka-users.ts'

/** A line of the table in docs/security.md. */
export interface NeededAcl extends Pick<Acl, 'operation' | 'resource'> {
  /** Such as `run`, `run, through` or `run, exactly_once`. */
  readonly command: string
  /** With names in angle brackets, and a star behind a prefix. */
  readonly template: string
}

const LINE =
  /^\| (run|run, through|run, exactly_once|run, models|run, shadows|models publish|models publish, shadows|dlq|dlq, open|dlq replay|console|console, models|produce|consume) \| (\w+) \| `([^`]+)` \| (\w+) \|/gm

/** What the page says that each command needs: the tests go by it, so it cannot say anything else. */
export function neededAcls(): readonly NeededAcl[] {
  const text = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8')
  const needed = [...text.matchAll(LINE)].map(([, command, resource, template, operation]) => ({
    ...{ command: command!, template: template! },
    ...{ resource: resource as Acl['resource'], operation: operation as Acl['operation'] },
  }))
  assert.ok(needed.length > 10, `the table of docs/security.md has ${needed.length} lines that can be read`)
  return needed
}

/** The grant to a principal, with the names filled in. */
export function granted(
  { resource, operation, template }: NeededAcl,
  principal: string,
  names: Readonly<Record<string, string>>,
): Acl {
  const filled = template.replaceAll(/<(\w+)>/g, (_, name: string) => names[name] ?? assert.fail(`who is <${name}>?`))
  const isPrefix = filled.endsWith('*')
  const name = isPrefix ? filled.slice(0, -1) : filled
  return { principal, operation, resource, name, pattern: isPrefix ? 'prefixed' : 'literal' }
}
