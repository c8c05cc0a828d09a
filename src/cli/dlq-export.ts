import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { carriedHeaders } from '../dead-letters/dead-letter.ts'
import { fingerprintOf } from '../dead-letters/fingerprint.ts'
import { scanLetters } from '../dead-letters/letter-scan.ts'
import { RunInferenceError } from '../errors.ts'
import { type DlqFlags, withDeadLetters } from './dlq-session.ts'

export interface ExportFlags extends DlqFlags {
  readonly out?: string
}

/** Writes the dead letters that are selected, one JSON object a line, with every byte of the records in base64. */
export async function exportDeadLetters(module: string, flags: ExportFlags): Promise<void> {
  await withDeadLetters(module, flags, async session => {
    const { out } = flags
    const file = out === undefined ? undefined : createWriteStream(out, { flags: 'wx' })
    if (file) await opened(file, out!)
    const stream = file ?? process.stdout
    let [count, lines] = [0, [] as string[]]
    const behindBlock = async () => {
      // Whoever reads may be slower than Kafka.
      if (lines.length > 0 && !stream.write(lines.join(''))) await once(stream, 'drain', { signal: session.signal })
      lines = []
    }
    await scanLetters({ ...session, behindBlock }, (letter, block, row) => {
      count++
      const headers = carriedHeaders(block, row).map(([name, value]) => [name, value?.toString('base64') ?? null])
      const [key, value] = [block.key(row), block.value(row)].map(bytes => bytes?.toString('base64') ?? null)
      lines.push(`${JSON.stringify({ ...letter, fingerprint: fingerprintOf(letter), key, value, headers })}\n`)
    })
    if (file) {
      file.end()
      await finished(file)
    }
    session.progress.clear()
    if (flags.json === true && file) console.log(JSON.stringify({ count, file: out }))
    else console.error(`${count} dead letters${out === undefined ? '' : ` in ${out}`}`)
  })
}

async function opened(file: NodeJS.WritableStream, path: string): Promise<void> {
  try {
    await once(file, 'open')
  } catch (cause) {
    const what =
      (cause as NodeJS.ErrnoException).code === 'EEXIST'
        ? 'is there already, and is not written over'
        : (cause as Error).message
    throw new RunInferenceError('SETTINGS_INVALID', `--out ${path}: ${what}. Name another file`, { cause })
  }
}
