/** What a module exports by name: types too, which an import at run time would not show. */
export function exportedNames(text: string): readonly string[] {
  const lists = [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)]
  const items = lists.flatMap(([, list]) => list!.split(','))
  const names = items.map(item =>
    item
      .trim()
      .replace(/^type /, '')
      .replace(/^.* as /, ''),
  )
  return names.filter(name => name !== '').sort()
}
