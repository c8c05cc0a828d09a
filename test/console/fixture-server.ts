/**
 * The console with canned facts and no Kafka, for a look at its page: `node --conditions=kri-source test/console/fixture-server.ts
 * [port]` prints its address, and reads the files of the page anew for each request. The token is `fixture-token-0123`.
 */
import { createConsoleServer } from '../../src/console/console-server.ts'
import { readPageAssets } from '../../src/console/page-assets.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { fixtureSource } from './fixture-source.ts'

const port = Number(process.argv[2] ?? 8090)
const server = await createConsoleServer({
  source: fixtureSource(),
  access: { hosts: [], token: 'fixture-token-0123' },
  clock: systemClock,
  assets: readPageAssets,
})
console.log(await server.listen(port, '127.0.0.1'))
process.once('SIGINT', () => void server.close())
process.once('SIGTERM', () => void server.close())
