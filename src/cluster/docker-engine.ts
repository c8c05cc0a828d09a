/** Whether a Docker engine answers: the command line alone, which many machines have, starts nothing. */
import { request } from 'node:http'

const DEADLINE_MS = 500
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/** Undefined when one of these hosts (as DOCKER_HOST has them) answers; else why none does. Takes half a second at most. */
export async function noDockerEngine(hosts: readonly string[]): Promise<string | undefined> {
  const reasons = await Promise.all(hosts.map(ping))
  return reasons.includes(undefined) ? undefined : hosts.map((host, i) => `${host}: ${reasons[i]}`).join('; ')
}

function ping(host: string): Promise<string | undefined> {
  const url = URL.parse(host)
  const isSocket = url?.protocol === 'unix:' || url?.protocol === 'npipe:'
  if (!isSocket && url?.protocol !== 'tcp:') return Promise.resolve('not looked at, neither a socket nor tcp://')
  // Ports of containers are reached on loopback.
  if (!isSocket && !LOOPBACK.test(url.hostname)) return Promise.resolve('on another machine')
  const target = isSocket ? { socketPath: url.pathname } : { host: url.hostname, port: url.port }
  return new Promise(resolve => {
    const signal = AbortSignal.timeout(DEADLINE_MS)
    const asked = request({ ...target, path: '/_ping', signal }, response => {
      response.resume()
      resolve(response.statusCode === 200 ? undefined : `answers ${response.statusCode}`)
    })
    asked.once('error', error => resolve(signal.aborted ? 'does not answer' : error.message))
    asked.end()
  })
}
