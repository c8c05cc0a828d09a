/**
 * Joins the expositions of several processes into one: every sample gets a label that says whose it is, and each metric
 * stands once, with all its samples behind its HELP and TYPE, as the format asks for.
 */

interface Family {
  readonly head: string[]
  readonly samples: string[]
}

/** `rest` is an exposition too, taken as it is. */
export function mergeExpositions(
  texts: readonly { readonly worker: string; readonly text: string }[],
  rest: string,
): string {
  const families = new Map<string, Family>()
  for (const { worker, text } of texts) {
    let family: Family | undefined
    for (const line of text.split('\n')) {
      const name = /^# (?:HELP|TYPE) (\S+)/.exec(line)?.[1]
      if (name !== undefined) {
        family = families.get(name) ?? { head: [], samples: [] }
        families.set(name, family)
        // HELP and TYPE, from whoever comes first.
        if (family.samples.length === 0 && !family.head.includes(line)) family.head.push(line)
      } else if (line !== '') family?.samples.push(labelled(line, worker))
    }
  }
  const lines = [...families.values()].flatMap(({ head, samples }) => [...head, ...samples])
  return `${[...lines, ''].join('\n')}${rest}`
}

function labelled(sample: string, worker: string): string {
  const at = sample.search(/[{ ]/)
  const name = sample.slice(0, at)
  const label = `worker="${worker}"`
  return sample[at] === '{' ? `${name}{${label},${sample.slice(at + 1)}` : `${name}{${label}}${sample.slice(at)}`
}
