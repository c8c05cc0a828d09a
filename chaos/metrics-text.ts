/** A sample of Prometheus' text format. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export function parseMetrics(text: string): readonly Sample[] {
  const samples: Sample[] = []
  for (const [, name, labels, value] of text.matchAll(/^([a-z_]\w*)(?:\{([^}]*)\})? (\S+)/gim)) {
    const pairs = [...(labels ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, label, of]) => [label!, of!])
    samples.push({ name: name!, labels: Object.fromEntries(pairs), value: Number(value) })
  }
  return samples
}

/** The sum over all labels; 0 where there is none. */
export function sumOf(samples: readonly Sample[], name: string): number {
  return samples.reduce((sum, sample) => sum + (sample.name === name ? sample.value : 0), 0)
}
