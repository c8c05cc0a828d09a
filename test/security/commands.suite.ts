// The commands as operators run them, on listeners that want to know who is there, with a registry behind TLS; and that
// nothing of what they write, at the most talkative level, holds a secret.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { type HttpsFront, startHttpsFront } from '../support/https-front.ts'
import { type KriProcess, startKri } from '../support/kri-process.ts'
import type { SecuredCluster } from '../support/secured-cluster.ts'

const DIGITS = 'topologies/digits.ts'
const RECORDS = 540

export function commandSuite(secured: SecuredCluster): void {
  const { files, secrets, listeners } = secured
  const pem = (name: keyof typeof files) => readFileSync(files[name], 'utf8')

  describe('kri, where everybody must say who he is', () => {
    let registry: HttpsFront
    const started: KriProcess[] = []
    /** Beside what processes wrote. */
    const seen: string[] = []
    before(async () => {
      const tls = { cert: pem('server'), key: pem('serverKey'), ca: pem('ca') }
      const user = { username: 'reader', password: secrets.registry }
      registry = await startHttpsFront(secured.cluster.registryUrl!, tls, user)
    })
    after(async () => {
      for (const { child } of started) child.kill('SIGKILL')
      await registry.close()
    })

    const mounted = (name: string, secret: string) => secured.file(name, `${secret}\n`)
    const withRegistry = () => ({
      KRI_REGISTRY_URL: `https://127.0.0.1:${registry.port}`,
      KRI_REGISTRY_CA_FILE: files.ca,
      KRI_REGISTRY_CERT_FILE: files.client,
      KRI_REGISTRY_KEY_FILE: files.clientKey,
      KRI_REGISTRY_USERNAME: 'reader',
      KRI_REGISTRY_PASSWORD_FILE: mounted('registry-password', secrets.registry),
    })
    const withCertificate = () => ({
      KRI_BROKERS: listeners.mtls,
      KRI_TLS: 'true',
      KRI_TLS_CA_FILE: files.ca,
      KRI_TLS_CERT_FILE: files.client,
      KRI_TLS_KEY_FILE: files.encryptedKey,
      KRI_TLS_KEY_PASSWORD_FILE: mounted('key-password', secrets.keyPassword),
    })
    const withLogin = (user: string) => ({
      KRI_BROKERS: listeners.secure,
      KRI_TLS: 'true',
      KRI_TLS_CA_FILE: files.ca,
      KRI_SASL_MECHANISM: 'scram-sha-512',
      KRI_SASL_USERNAME: user,
    })

    function kri(env: Readonly<Record<string, string>>, ...args: readonly string[]): KriProcess {
      const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('KRI_'))
      const all = {
        ...Object.fromEntries(inherited),
        KRI_LOG_LEVEL: 'debug',
        KRI_HTTP_PORT: '0',
        KRI_LANES: '1',
        ...env,
      }
      const kriProcess = startKri(args, { env: all })
      started.push(kriProcess)
      return kriProcess
    }
    const ended = async (kriProcess: KriProcess, code = 0) => {
      assert.equal(await kriProcess.ended, code, kriProcess.log())
      return kriProcess.output()
    }
    const produce = (env: Readonly<Record<string, string>>) =>
      kri(env, 'produce', DIGITS, '--file=data/digits-test.ndjson', '--key-field=id')

    it('mutual TLS and a registry with TLS, certificate and password: topics, schemas, records, predictions', async () => {
      const env = { ...withCertificate(), ...withRegistry() }
      await ended(kri(env, 'topics', 'apply', DIGITS, '--schemas', '--partitions=2'))
      await ended(produce(env))
      const summary = JSON.parse(await ended(kri(env, 'run', DIGITS, '--until-end', '--json')))
      assert.deepEqual([summary.reachedEnd, summary.records], [true, RECORDS])
    })

    it('SCRAM-SHA-512 over TLS: workers get the password, and no command line but the parent’s has it', async () => {
      const env = { ...withLogin('alice'), ...withRegistry() }
      await ended(produce({ ...env, KRI_SASL_PASSWORD: secrets.alice }))
      const flags = ['--workers=2', '--until-end', '--json', `--sasl-password=${secrets.alice}`]
      const parent = kri(env, 'run', DIGITS, ...flags)
      const pids = () => Array.from(parent.log().matchAll(/"worker":\d+,"pid":(\d+)/g), ([, pid]) => pid!)
      await eventually('both are started', () => pids().length === 2, 30_000)
      if (process.platform === 'linux') {
        for (const pid of pids()) {
          const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
          assert.ok(words.includes('--sasl-mechanism=scram-sha-512') || words.includes('run'), words.join(' '))
          assert.ok(!words.some(word => word.includes(secrets.alice)), words.join(' '))
        }
      }
      const summary = JSON.parse(await ended(parent))
      assert.deepEqual([summary.reachedEnd, summary.records], [true, RECORDS])
      assert.match(
        parent.log(),
        /"flag":"--sasl-password","msg":"a secret on the command line can be read by every user/,
      )
    })

    it('a wrong password ends check and run with exit code 1 and what to look at', async () => {
      const env = { ...withLogin('alice'), ...withRegistry(), KRI_SASL_PASSWORD: secrets.registry }
      const [run, check] = [kri(env, 'run', DIGITS), kri(env, 'check', DIGITS, '--json')]
      await ended(run, 1)
      assert.match(run.log(), /AUTHORISATION.*saslPassword/)
      const { problems } = JSON.parse(await ended(check, 1)) as { problems: { what: string }[] }
      assert.match(JSON.stringify(problems), /SASL_AUTHENTICATION_FAILED/)
    })

    it('sessions are renewed without a word; a password that is changed meanwhile ends the instance', async () => {
      const env = { ...withLogin('carol'), ...withRegistry(), KRI_SASL_PASSWORD: secrets.carol }
      const run = kri(env, 'run', DIGITS)
      await run.whenReady()
      const since = performance.now()
      await eventually('sessions have ended twice', () => performance.now() - since > 5_000, 10_000)
      assert.doesNotMatch(run.log(), /is tried again|degraded/)
      seen.push(await run.text('/metrics'), await run.text('/readyz'))
      // A server that listens on all addresses answers at any of loopback.
      if (process.platform === 'linux') await assert.rejects(reach('127.0.0.2', portOf(run)), /ECONNREFUSED/)
      await secured.users.setScramPassword('carol', secrets.registry)
      assert.equal(await run.ended, 1)
      assert.match(run.log(), /"code":"AUTHORISATION".*saslPassword/)
    })

    it('no secret is in anything that was written', () => {
      const written = started.map(each => each.log() + each.output()).concat(seen)
      assert.ok(written.length > 8 && written.join('').includes('"level":20'), 'debug lines were written')
      for (const [whose, secret] of Object.entries(secrets)) {
        const found = written.flatMap(text => text.split('\n')).find(line => line.includes(secret))
        assert.equal(found, undefined, `the secret of ${whose} is in a line`)
      }
    })
  })
}

function portOf(run: KriProcess): number {
  return Number(new URL(/"url":"([^"]+)"/.exec(run.log())![1]!).port)
}

async function reach(host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host, port }, () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', reject)
  })
}
