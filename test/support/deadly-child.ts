/** Arguments for Node with which a lane's child process, and the thread in it, has deadly sessions. */
export const DEADLY_ARGUMENTS: readonly string[] = [
  '--conditions=kri-source',
  '--import',
  new URL('./deadly-sessions.ts', import.meta.url).href,
]
