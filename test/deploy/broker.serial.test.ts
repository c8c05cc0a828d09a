// The environments that brokers in containers are given, read by the code with which Kafka's own image reads them.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { brokerContainers } from '../../src/cluster/docker-cluster.ts'
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

const given = {
  'of docker-compose.yml': readComposeFile().services.kafka!.environment!,
  'of the local cluster, one of one': brokerContainers([15_001], '/nowhere')[0]!.environment,
  'of the local cluster, one of three': brokerContainers([15_001, 15_002, 15_003], '/nowhere')[2]!.environment,
}

describe('a broker in a container', { skip: kafka.skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kri-broker-'))
  after(() => rmSync(folder, { recursive: true }))

  for (const [which, environmentGiven] of Object.entries(given)) {
    it(`${which} has settings that Kafka takes and formats its log with`, async () => {
      const run = mkdtempSync(join(folder, 'run-'))
      const [data, defaults, mounted, final] = ['data', 'default', 'mounted', 'final'].map(name => join(run, name))
      for (const configs of [defaults, mounted, final]) mkdirSync(configs!)
      for (const file of ['server.properties', 'log4j2.yaml', 'tools-log4j2.yaml'])
        writeFileSync(join(defaults!, file), '{}\n')
      const folders = [
        '--default-configs-dir',
        defaults!,
        '--mounted-configs-dir',
        mounted!,
        '--final-configs-dir',
        final!,
      ]
      const wrapper = ['-cp', kafka.classPath.join(delimiter), 'kafka.docker.KafkaDockerWrapper', 'setup', ...folders]
      const env = { PATH: process.env.PATH, ...environmentGiven, KAFKA_LOG_DIRS: data }
      await promisify(execFile)(environment.java, ['-XX:TieredStopAtLevel=1', ...wrapper], { env })

      const properties = readFileSync(join(final!, 'server.properties'), 'utf8')
      assert.ok(properties.includes(`advertised.listeners=${environmentGiven.KAFKA_ADVERTISED_LISTENERS}\n`))
      const meta = readFileSync(join(data!, 'meta.properties'), 'utf8')
      assert.ok(meta.includes(`cluster.id=${environmentGiven.CLUSTER_ID}\n`))
    })
  }
})
