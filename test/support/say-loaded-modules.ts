/** To be imported before a program: at its end it writes the addresses of all modules that it has loaded to standard error. */
import { registerHooks } from 'node:module'

const loaded: string[] = []
registerHooks({
  load(url, context, next) {
    loaded.push(url)
    return next(url, context)
  },
})
process.on('exit', () => void process.stderr.write(`${JSON.stringify(loaded)}\n`))
