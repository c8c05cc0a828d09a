/** Milliseconds on a clock that all threads and processes of a machine share (each thread's performance.now has its own start). */
export function sharedNow(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e3 + nanoseconds / 1e6
}
