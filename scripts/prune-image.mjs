// `node scripts/prune-image.mjs NODE_MODULES`: removes from installed packages what this system does not run: onnxruntime-node
// carries the libraries of every system it supports, and packages carry source maps and types.
// Plain JavaScript without dependencies: it runs while the image is built.
import { globSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const [modules] = process.argv.slice(2)
if (modules === undefined) throw new Error('usage: node scripts/prune-image.mjs NODE_MODULES')

for (const bin of globSync(join(modules, 'onnxruntime-node', 'bin', 'napi-v*'))) {
  keepOnly(process.platform, bin)
  keepOnly(process.arch, join(bin, process.platform))
}
// Documents stay: for some packages they are where the licence stands.
for (const file of globSync(join(modules, '**', '*.{map,d.ts,d.cts,d.mts}'))) rmSync(file)

function keepOnly(name, folder) {
  for (const other of readdirSync(folder).filter(candidate => candidate !== name))
    rmSync(join(folder, other), { recursive: true })
}
