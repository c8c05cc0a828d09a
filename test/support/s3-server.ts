/**
 * S3Proxy, a server of the S3 API that was written by others and checks signatures, on a folder of this machine: fetched once
 * with Maven, as the parts of a local cluster are.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { javaVersion, requireMaven } from '../../src/cluster/java.ts'
import { fetchWithDependencies } from '../../src/cluster/maven.ts'
import { RunInferenceError } from '../../src/errors.ts'
import { clusterEnvironment } from '../../src/settings.ts'
import { eventually } from './eventually.ts'

const VERSION = '2.7.0'
export const CREDENTIALS = { accessKeyId: 'kri-access', secretAccessKey: 'kri/secret+key' }

export interface S3Server {
  readonly skip: string | false
  readonly port: number
  /** Makes a bucket and puts an object into it. */
  put(bucket: string, key: string, bytes: Buffer): Promise<void>
  stop(): Promise<void>
}

export async function startS3Server(): Promise<S3Server> {
  const { cacheFolder, java, maven } = clusterEnvironment()
  let libs: string
  try {
    await javaVersion(java)
    libs = await install(cacheFolder, maven)
  } catch (error) {
    if (!(error instanceof RunInferenceError) || error.code !== 'CLUSTER_UNAVAILABLE') throw error
    return { skip: `no S3-compatible server: ${error.message}`, port: 0, put: async () => {}, stop: async () => {} }
  }
  const folder = await mkdtemp(join(tmpdir(), 'kri-s3-'))
  const port = await freePort()
  const config = join(folder, 's3proxy.conf')
  const data = join(folder, 'data')
  await mkdir(data)
  const lines = {
    's3proxy.authorization': 'aws-v4',
    's3proxy.endpoint': `http://127.0.0.1:${port}`,
    's3proxy.identity': CREDENTIALS.accessKeyId,
    's3proxy.credential': CREDENTIALS.secretAccessKey,
    's3proxy.virtual-host': 'localhost',
    'jclouds.provider': 'filesystem-nio2',
    'jclouds.filesystem.basedir': data,
    'jclouds.identity': 'x',
    'jclouds.credential': 'x',
  }
  await writeFile(
    config,
    Object.entries(lines)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )
  // Without a file its logger writes every byte that passes.
  const logback = join(folder, 'logback.xml')
  await writeFile(logback, '<configuration><root level="OFF"/></configuration>')
  const options = ['-XX:TieredStopAtLevel=1', '-Dsun.jnu.encoding=UTF-8', `-Dlogback.configurationFile=${logback}`]
  const args = [...options, '-cp', join(libs, '*'), 'org.gaul.s3proxy.Main', '--properties', config]
  const child = spawn(java, args, { stdio: 'ignore', env: { ...process.env, LC_ALL: 'C.UTF-8' } })
  const end = () => void child.kill('SIGKILL')
  process.once('exit', end)
  const answers = () =>
    fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    )
  await eventually('the S3 server answers', answers, 60_000)
  return {
    skip: false,
    port,
    async put(bucket, key, bytes) {
      const path = join(data, bucket, key)
      await mkdir(join(path, '..'), { recursive: true })
      await writeFile(path, bytes)
    },
    async stop() {
      process.off('exit', end)
      await ended(child)
      await rm(folder, { recursive: true })
    },
  }
}

async function install(cacheFolder: string, maven: string): Promise<string> {
  const folder = join(cacheFolder, `s3proxy-${VERSION}`)
  if (existsSync(folder)) return join(folder, 'libs')
  await requireMaven(maven)
  await mkdir(cacheFolder, { recursive: true })
  const staging = await mkdtemp(join(cacheFolder, 'partial-'))
  try {
    const outputFolder = join(staging, 'libs')
    const fetching = { maven, workFolder: staging, outputFolder, onProgress: () => {} }
    await fetchWithDependencies([`org.gaul:s3proxy:${VERSION}`], fetching)
    await rename(staging, folder).catch(error => {
      if (!existsSync(folder)) throw error
    })
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
  return join(folder, 'libs')
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exit
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}
