import { execFile } from 'node:child_process'
import { delimiter, dirname } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/**
 * The environment for npm, and for what it installed, in another project: what the npm that runs these tests says about
 * this one is left out, and `node` is the one that runs the tests.
 */
export function otherProjectEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !/^npm_(package|lifecycle|command|config_local_prefix)/.test(name) && !/^(INIT_CWD|NODE_OPTIONS)$/.test(name),
  )
  return {
    ...Object.fromEntries(kept),
    PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
    // It would fetch CUDA libraries.
    ONNXRUNTIME_NODE_INSTALL: 'skip',
  }
}

/** Runs the npm that started the tests, else the one on the path; gives its standard output. */
export async function npm(args: readonly string[], cwd: string): Promise<string> {
  const { npm_execpath: script } = process.env
  const [command, ...first] = script === undefined ? ['npm'] : [process.execPath, script]
  const { stdout } = await execute(command!, [...first, ...args], { cwd, env: otherProjectEnvironment() })
  return stdout
}

/** Runs a program in another project; gives what it wrote, whatever its exit code. */
export async function runIn(
  cwd: string,
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  try {
    return { code: 0, ...(await execute(command, args, { cwd, env: { ...otherProjectEnvironment(), ...env } })) }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number | string; stdout: string; stderr: string }
    if (typeof code !== 'number') throw error
    return { code, stdout, stderr }
  }
}
