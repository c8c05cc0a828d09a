#!/usr/bin/env node
// The command line. What is compiled once is kept for the next start, which is why nothing else is imported before.
import { enableCompileCache } from 'node:module'

enableCompileCache()
const { main } = await import('./command-line.ts')
await main(process.argv.slice(2))
