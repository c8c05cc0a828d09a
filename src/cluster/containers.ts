/**
 * Containers of a cluster; the only importer of testcontainers, which is imported when it is needed and need not be
 * installed. Unless they are to outlive this process, its reaper removes them when the process ends, however it ends.
 */
import { createWriteStream } from 'node:fs'
import { RunInferenceError } from '../errors.ts'

const START_DEADLINE_MS = 180_000

export interface ContainerSpec {
  readonly name: string
  readonly image: string
  readonly environment: Readonly<Record<string, string>>
  /** On loopback of this machine, and the same after a restart. */
  readonly port: { readonly container: number; readonly machine: number }
  /** Ready when this stands in its log, or when this path of its port is answered with 200. */
  readonly ready: { readonly log: string } | { readonly path: string }
  /** Its output is appended. */
  readonly logFile: string
}

export interface ContainerGroup {
  /** Ids by name. */
  ids(): Readonly<Record<string, string>>
  readonly networkId: string
  /** Resolves when it is ready. They reach each other by name. */
  start(spec: ContainerSpec): Promise<void>
  /** SIGKILL; resolves when it has ended. */
  kill(name: string): Promise<void>
  /** One that was killed: same port, same data. */
  startAgain(name: string): Promise<void>
  pause(name: string): Promise<void>
  resume(name: string): Promise<void>
  /** Removes all, with their data. */
  remove(): Promise<void>
}

/** Rejects CLUSTER_UNAVAILABLE when testcontainers is not installed. */
export async function openContainerGroup(name: string, outlive: boolean): Promise<ContainerGroup> {
  const { GenericContainer, getReaper, LABEL_TESTCONTAINERS_SESSION_ID, Wait } = await load()
  const client = await connect()
  const labels = outlive ? {} : { [LABEL_TESTCONTAINERS_SESSION_ID]: (await getReaper(client)).sessionId }
  const network = await client.network.create({ Name: name, Driver: 'bridge', Labels: labels })

  /** It can bind to all addresses of the machine only, and these ports are for this machine. */
  class LoopbackContainer extends GenericContainer {
    protected override async beforeContainerCreated(): Promise<void> {
      for (const bindings of Object.values(this.hostConfig.PortBindings ?? {}) as { HostIp?: string }[][])
        for (const binding of bindings) binding.HostIp = '127.0.0.1'
    }
  }

  type Started = Awaited<ReturnType<InstanceType<typeof LoopbackContainer>['start']>>
  const running = new Map<string, { readonly spec: ContainerSpec; readonly container: Started }>()
  const find = (part: string) => {
    const found = running.get(part)
    if (found === undefined) throw new RangeError(`${part} is none of ${[...running.keys()].join(', ')}`)
    return found
  }
  const engine = (part: string) => client.container.getById(find(part).container.getId())
  return {
    networkId: network.id,
    ids: () => Object.fromEntries([...running].map(([part, { container }]) => [part, container.getId()])),
    async start(spec) {
      const { container: port, machine } = spec.port
      const wait = 'log' in spec.ready ? Wait.forLogMessage(spec.ready.log) : Wait.forHttp(spec.ready.path, port)
      const container = await new LoopbackContainer(spec.image)
        .withName(`${name}-${spec.name}`)
        .withNetworkMode(name)
        .withNetworkAliases(spec.name)
        .withEnvironment(spec.environment)
        .withExposedPorts({ container: port, host: machine })
        .withWaitStrategy(wait.withStartupTimeout(START_DEADLINE_MS))
        .withLogConsumer(stream => void stream.pipe(createWriteStream(spec.logFile, { flags: 'a' })))
        .withAutoCleanup(!outlive)
        .start()
      running.set(spec.name, { spec, container })
    },
    async kill(part) {
      await engine(part).kill()
      await engine(part).wait()
    },
    async startAgain(part) {
      const { spec, container } = find(part)
      await container.restart()
      const stream = await container.logs({ since: Math.floor(Date.now() / 1_000) })
      stream.pipe(createWriteStream(spec.logFile, { flags: 'a' }))
    },
    pause: part => engine(part).pause(),
    resume: part => engine(part).unpause(),
    async remove() {
      const ids = [...running.values()].map(({ container }) => container.getId())
      await removeContainers(ids, network.id)
      running.clear()
    },
  }
}

/** How each container is; undefined = there is none with this id. */
export async function containerStates(
  ids: readonly string[],
): Promise<readonly ({ readonly pid: number; readonly running: boolean } | undefined)[]> {
  const client = await connect()
  return Promise.all(
    ids.map(async id => {
      const state = await unlessGone(client.container.getById(id).inspect())
      return state && { pid: state.State.Pid, running: state.State.Running }
    }),
  )
}

/** Removes containers with their data, and their network. What is gone already is fine. */
export async function removeContainers(ids: readonly string[], networkId: string): Promise<void> {
  const client = await connect()
  await Promise.all(ids.map(id => unlessGone(client.container.getById(id).remove({ force: true, v: true }))))
  await unlessGone(client.network.getById(networkId).remove())
}

async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return undefined
    throw error
  }
}

async function connect() {
  const { getContainerRuntimeClient } = await load()
  try {
    return await getContainerRuntimeClient()
  } catch (error) {
    throw RunInferenceError.from(
      error,
      'CLUSTER_UNAVAILABLE',
      "Docker's engine does not answer; start it and try again",
    )
  }
}

async function load() {
  try {
    return await import('testcontainers')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    const remedy = 'install it beside this package: npm install --save-dev testcontainers@12'
    throw new RunInferenceError('CLUSTER_UNAVAILABLE', `containers need the package testcontainers; ${remedy}`, {
      cause: error,
    })
  }
}
