/** Which files import which while a module is imported, to name cycles and places. Packages, this one too, are left out. */
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'

export interface ImportTrace {
  /** Files that import each other in a circle, each circle once, its first file again at the end. */
  cycles(): readonly (readonly string[])[]
  /** Every file that was imported so far. */
  files(): readonly string[]
  /** Ends the trace; what was seen stays. */
  stop(): void
}

export function traceImports(): ImportTrace {
  const imports = new Map<string, Set<string>>()
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context)
      const target = ownFile(resolved.url)
      const importer = ownFile(context.parentURL)
      if (target !== undefined) imports.set(target, imports.get(target) ?? new Set())
      if (target !== undefined && importer !== undefined) {
        imports.set(importer, (imports.get(importer) ?? new Set()).add(target))
      }
      return resolved
    },
  })
  return { cycles: () => cyclesOf(imports), files: () => [...imports.keys()], stop: () => hooks.deregister() }
}

/** This package, however it was installed. */
const PACKAGE = new URL('.', import.meta.url).href

function ownFile(url: string | undefined): string | undefined {
  const isOwn = url?.startsWith('file:') && !url.includes('/node_modules/') && !url.startsWith(PACKAGE)
  return isOwn ? fileURLToPath(url!) : undefined
}

function cyclesOf(imports: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const cycles: string[][] = []
  const done = new Set<string>()
  const visit = (file: string, above: readonly string[]): void => {
    const at = above.indexOf(file)
    if (at >= 0) cycles.push([...above.slice(at), file])
    if (at >= 0 || done.has(file)) return
    for (const target of imports.get(file) ?? []) visit(target, [...above, file])
    done.add(file)
  }
  for (const file of imports.keys()) visit(file, [])
  return cycles
}
