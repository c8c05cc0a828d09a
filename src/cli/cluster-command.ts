import type { CommandSpec } from './command.ts'

export const clusterUpCommand: CommandSpec = {
  name: 'cluster up',
  summary: 'start Kafka and a schema registry, which stay until "cluster down"',
  details:
    "In containers if Docker's engine answers (and the package testcontainers is installed), else as Java processes, which need " +
    'Java 17 and Maven; the first start fetches images or 150 MB of jars. KRI_CLUSTER=docker and KRI_CLUSTER=jvm are as the flags. ' +
    'Where KRI_BROKERS and KRI_REGISTRY_URL name a cluster, nothing is started. There is one for each KRI_CACHE_FOLDER ' +
    '(default: ~/.cache/kafka-run-inference), which holds what was fetched, logs, and where it is.',
  options: [
    { flags: '--brokers <count>', help: 'how many brokers', choices: ['1', '3'], fallback: '1' },
    { flags: '--docker', help: 'in containers, or not at all' },
    { flags: '--jvm', help: 'as Java processes, or not at all' },
  ],
  examples: [
    ['cluster up', 'one broker and a registry'],
    ['cluster up --brokers 3', 'to try replication and the loss of a broker'],
  ],
  json: 'one object: backend, brokers, registryUrl, logFolder, startedAt, startedFrom, processes',
  load: async () => (await import('./cluster.ts')).clusterUp,
}

export const clusterStatusCommand: CommandSpec = {
  name: 'cluster status',
  summary: 'tell where it is and whether it lives',
  examples: [
    ['cluster status', 'addresses, logs, and the variables to export'],
    ['cluster status --json', 'the same for a script'],
  ],
  exitCodes: { 0: 'it runs', 1: 'none runs, or a part of it has ended' },
  json: 'one object: running, backend, brokers, registryUrl, logFolder, startedAt, startedFrom, processes',
  load: async () => (await import('./cluster.ts')).clusterStatus,
}

export const clusterDownCommand: CommandSpec = {
  name: 'cluster down',
  summary: 'end it and remove its data',
  examples: [['cluster down', 'ending nothing is fine']],
  json: 'one object: stopped',
  load: async () => (await import('./cluster.ts')).clusterDown,
}
