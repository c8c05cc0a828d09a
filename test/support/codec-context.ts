import { readFile } from 'node:fs/promises'
import type { CodecContext, SchemaRegistryPort } from '../../src/kafka/codec.ts'
import { silentLogger } from '../../src/ops/logger.ts'

/** A context for opening codecs in tests; `time.ms` is what the clock says. */
export function codecContext(
  registry: SchemaRegistryPort | undefined,
  overrides: Partial<CodecContext> = {},
): CodecContext & { readonly time: { ms: number } } {
  const time = { ms: 0 }
  return {
    topic: 'digits',
    field: 'value',
    registry,
    readSchema: name => readFile(new URL(`../../schemas/${name}.avsc`, import.meta.url), 'utf8'),
    logger: silentLogger,
    now: () => time.ms,
    ...overrides,
    time,
  }
}
