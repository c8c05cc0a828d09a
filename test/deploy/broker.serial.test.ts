// The environment that docker-compose.yml gives to the broker, read by the code with which Kafka's own image reads it.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { installKafka } from '../../src/cluster/install.ts'
import { javaVersion } from '../../src/cluster/java.ts'
import { RunInferenceError } from '../../src/errors.ts'
import { clusterEnvironment } from '../../src/settings.ts'
import { readComposeFile } from '../support/compose-file.ts'

const environment = clusterEnvironment()
const kafka = await installed()

async function installed() {
  try {
    await javaVersion(environment.java)
    return { ...(await installKafka({ ...environment, onProgress: () => {} })), skip: false as const }
  } catch (error) {
    if (error instanceof RunInferenceError && error.code === 'CLUSTER_UNAVAILABLE')
      return { classPath: [], skip: error.message }
    throw error
  }
}

describe('the broker of docker-compose.yml', { skip: kafka.skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kri-broker-'))
  after(() => rmSync(folder, { recursive: true }))

  it('has settings that Kafka takes and formats its log with', async () => {
    const [data, defaults, mounted, final] = ['data', 'default', 'mounted', 'final'].map(name => join(folder, name))
    for (const configs of [defaults, mounted, final]) mkdirSync(configs!)
    for (const file of ['server.properties', 'log4j2.yaml', 'tools-log4j2.yaml'])
      writeFileSync(join(defaults!, file), '{}\n')
    const given = readComposeFile().services.kafka!.environment!
    const wrapper = ['-cp', kafka.classPath.join(delimiter), 'kafka.docker.KafkaDockerWrapper', 'setup']
    const folders = [
      '--default-configs-dir',
      defaults!,
      '--mounted-configs-dir',
      mounted!,
      '--final-configs-dir',
      final!,
    ]
    const env = { PATH: process.env.PATH, ...given, KAFKA_LOG_DIRS: data }
    await promisify(execFile)(environment.java, ['-XX:TieredStopAtLevel=1', ...wrapper, ...folders], { env })

    const properties = readFileSync(join(final!, 'server.properties'), 'utf8')
    assert.match(properties, /^advertised\.listeners=INTERNAL:\/\/kafka:19092,MACHINE:\/\/127\.0\.0\.1:9092$/m)
    const meta = readFileSync(join(data!, 'meta.properties'), 'utf8')
    assert.match(meta, new RegExp(`^cluster.id=${given.CLUSTER_ID}$`, 'm'))
  })
})
