import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

export interface SourceFile {
  /** From the root, with forward slashes. */
  readonly path: string
  readonly text: string
  /** What it imports or re-exports, as written. */
  readonly imports: readonly { readonly target: string; readonly typeOnly: boolean }[]
}

/** Every TypeScript file below these folders. */
export function sourceFiles(...folders: readonly string[]): readonly SourceFile[] {
  return folders
    .flatMap(folder => globSync(`${folder}/**/*.ts`, { cwd: root }))
    .map(path => path.replaceAll('\\', '/'))
    .map(path => {
      const text = readFileSync(join(root, path), 'utf8')
      return { path, text, imports: importsOf(text) }
    })
}

/** The file that a relative import means, from the root. */
export function resolveImport(from: string, target: string): string {
  return relative(root, join(root, dirname(from), target)).replaceAll('\\', '/')
}

function importsOf(text: string): SourceFile['imports'] {
  const statements = text.matchAll(/^(?:import|export)\s+(type\s+)?(?:[^'"();]*?\bfrom\s*)?['"]([^'"]+)['"]/gm)
  const required = text.matchAll(/\b(?:require|import)\(\s*['"]([^'"]+)['"]/g)
  return [
    ...[...statements].map(([, type, target]) => ({ target: target!, typeOnly: type !== undefined })),
    ...[...required].map(([, target]) => ({ target: target!, typeOnly: false })),
  ]
}
