import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './source-files.ts'

export interface Document {
  /** From the root, with forward slashes. */
  readonly path: string
  readonly text: string
}

export interface Snippet {
  /** `README.md:23`: the line of its fence. */
  readonly where: string
  readonly text: string
}

/** Every page of this project that is written for people. */
export function documents(): readonly Document[] {
  return globSync(['*.md', '{docs,bench,chaos,models,data,deploy}/**/*.md'], { cwd: root })
    .map(path => ({ path: path.replaceAll('\\', '/'), text: readFileSync(join(root, path), 'utf8') }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** The fenced blocks of a language. */
export function snippets({ path, text }: Document, language: string): readonly Snippet[] {
  const fences = text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))
  return [...fences].map(match => ({
    where: `${path}:${text.slice(0, match.index).split('\n').length}`,
    text: match[1]!,
  }))
}
