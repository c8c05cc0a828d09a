/** What this machine has, as far as resource hints ask for it: the one place where it is looked at. */
import { readdirSync, readFileSync } from 'node:fs'
import { totalmem } from 'node:os'

export interface Machine {
  /** Memory of the machine, or of the container or cgroup that this process is in, where that is less. */
  readonly ramBytes: number
  /** NVIDIA GPUs that this process can open: their models, e.g. 'Tesla T4'; undefined for one whose model is unknown. */
  readonly nvidiaGpus: readonly (string | undefined)[]
  /** Devices that render or compute, of any vendor, as Linux lists them. */
  readonly renderDevices: number
}

/** `root`: where the file system begins. */
export function readMachine(root = '/'): Machine {
  // libuv reads the limits of both versions of cgroups; none is told as 0, or as far more than there is.
  const limit = process.constrainedMemory()
  return {
    ramBytes: limit > 0 ? Math.min(limit, totalmem()) : totalmem(),
    nvidiaGpus: nvidiaGpus(root),
    renderDevices: namesIn(`${root}/dev/dri`).filter(name => /^renderD\d+$/.test(name)).length,
  }
}

/** The driver lists all GPUs of the machine, in a container too; what a container was not given has no device file there. */
function nvidiaGpus(root: string): (string | undefined)[] {
  const folder = `${root}/proc/driver/nvidia/gpus`
  const models = new Map<string, string>()
  for (const name of namesIn(folder)) {
    const information = textOf(`${folder}/${name}/information`)
    const minor = /^Device Minor:\s*(\d+)/m.exec(information)?.[1]
    const model = /^Model:\s*(.+)$/m.exec(information)?.[1]
    if (minor !== undefined && model !== undefined) models.set(minor, model.trim())
  }
  const minors = namesIn(`${root}/dev`).map(name => /^nvidia(\d+)$/.exec(name)?.[1])
  return minors.filter(minor => minor !== undefined).map(minor => models.get(minor))
}

// A folder or file that is not there says that there is no such device.
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
