/** Text as UTF-8 bytes, without ever putting U+FFFD in the place of what is not. */

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text in [start, end), or undefined when it is not UTF-8. */
export function readUtf8(bytes: Buffer, start: number, end: number): string | undefined {
  const text = bytes.toString('utf8', start, end)
  // The replacement character is the sign of bytes that were not UTF-8, unless somebody really sent it.
  if (!text.includes('\ufffd')) return text
  try {
    return strict.decode(bytes.subarray(start, end))
  } catch {
    return undefined
  }
}

/** Writes well-formed text; answers as `RowEncoder.encode` does. */
export function writeUtf8(text: string, into: Buffer, at: number): number {
  const room = into.length - at
  // A character takes at most three bytes per UTF-16 unit: only a text that might not fit is measured.
  if (text.length * 3 > room) {
    const needed = Buffer.byteLength(text)
    if (needed > room) return -needed
  }
  return at + into.write(text, at)
}
