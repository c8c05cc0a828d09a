#!/usr/bin/env node
/** What `kri` of the installed package starts: on a Node that is too old, a sentence instead of a missing global. */
const MIN_NODE = 24

if (Number.parseInt(process.versions.node, 10) >= MIN_NODE) await import('./main.ts')
else {
  process.stderr.write(
    `kri: Node ${MIN_NODE} or newer is needed, this is ${process.version} (${process.execPath}). \
Install it and start kri with it; in a project, "npm install --save-dev node@${MIN_NODE}" brings it for npx.\n`,
  )
  process.exitCode = 1
}

export {}
