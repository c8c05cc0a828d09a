/**
 * Which file of those that a pattern matches is to be published, look by look (Beam: WatchFilePattern). Pure: whoever looks
 * brings what is there, and asks the metadata whether the bytes are published already.
 *
 * W1. Only the newest file counts, by modification time; of two with the same time, the one whose path sorts last.
 * W2. A file is handed out when two looks in a row have found it the same: one that is being written is waited for.
 * W3. What was handed out is not handed out again, until the file changes: the same path with other bytes is a new file.
 * W4. A file that stood behind a newer one, and is the newest only because that is gone, is not handed out: removing a file
 *     does not change what is served.
 */

/** What a look finds of a file. */
export interface WatchedFile {
  readonly path: string
  readonly sizeBytes: number
  /** Milliseconds since 1970. */
  readonly modifiedMs: number
  /** When it came to be so, whatever its modification time says; milliseconds since 1970. */
  readonly arrivedMs: number
  /** Changes with everything that is done to a file, a modification time that was set by hand included; opaque. */
  readonly mark: string
}

export type Look =
  /** Nothing matches. */
  | { readonly kind: 'nothing' }
  /** The newest file was another one, or looked otherwise, at the look before. */
  | { readonly kind: 'unstable'; readonly file: WatchedFile }
  /** To be published, unless it is. Told once. */
  | { readonly kind: 'new'; readonly file: WatchedFile }
  /** Nothing to do. */
  | { readonly kind: 'known'; readonly file: WatchedFile }

export interface FileWatch {
  look(files: readonly WatchedFile[]): Look
  /** What was handed out could not be dealt with for now: it is handed out again. */
  again(file: WatchedFile): void
}

export function createFileWatch(): FileWatch {
  let before = new Map<string, string>()
  const known = new Map<string, string>()
  return {
    look(files) {
      const newest = newestOf(files)
      const marks = new Map(files.map(({ path, mark }) => [path, mark]))
      const wasSo = newest !== undefined && before.get(newest.path) === newest.mark
      before = marks
      for (const path of known.keys()) if (!marks.has(path)) known.delete(path)
      if (newest === undefined) return { kind: 'nothing' }
      // Those behind it have had their time.
      for (const [path, mark] of marks) if (path !== newest.path) known.set(path, mark)
      if (known.get(newest.path) === newest.mark) return { kind: 'known', file: newest }
      if (!wasSo) return { kind: 'unstable', file: newest }
      known.set(newest.path, newest.mark)
      return { kind: 'new', file: newest }
    },
    again({ path, mark }) {
      if (known.get(path) === mark) known.delete(path)
    },
  }
}

/** Undefined when there is none. */
export function newestOf(files: readonly WatchedFile[]): WatchedFile | undefined {
  return files.reduce<WatchedFile | undefined>(
    (newest, file) => (newest === undefined || isNewer(file, newest) ? file : newest),
    undefined,
  )
}

function isNewer(file: WatchedFile, than: WatchedFile): boolean {
  return file.modifiedMs === than.modifiedMs ? file.path > than.path : file.modifiedMs > than.modifiedMs
}
