/**
 * A GPU for webgpu on any machine: SwiftShader, the Vulkan driver in software that comes with Chromium (Debian: apt-get install
 * chromium), or the driver that KRI_TEST_VULKAN_ICD names by its manifest. Native code reads this from its environment when it
 * is loaded, so it reaches child processes that are started later, and only those.
 */
import { existsSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'

const MANIFESTS = ['/usr/lib/chromium/vk_swiftshader_icd.json', '/opt/google/chrome/vk_swiftshader_icd.json']

/** Child processes from now on find the driver; else why there is none, for `skip`. */
export function withVulkan(): string | false {
  const manifest = process.env.KRI_TEST_VULKAN_ICD ?? MANIFESTS.find(path => existsSync(path))
  if (manifest === undefined) {
    return `no Vulkan driver for webgpu: there is none of ${MANIFESTS.join(', ')} (package chromium), and KRI_TEST_VULKAN_ICD names none`
  }
  const folder = dirname(manifest)
  setDriver(manifest)
  process.env.XDG_RUNTIME_DIR ??= '/tmp'
  // Chromium brings the loader too, for machines that have none.
  const known = process.env.LD_LIBRARY_PATH?.split(delimiter) ?? []
  if (existsSync(join(folder, 'libvulkan.so.1')) && !known.includes(folder))
    process.env.LD_LIBRARY_PATH = [...known, folder].join(delimiter)
  return false
}

/** Child processes from now on find no driver, whatever the machine has. */
export function withoutVulkan(): void {
  setDriver('/no/such/driver.json')
}

function setDriver(manifest: string): void {
  process.env.VK_ICD_FILENAMES = manifest
  // Newer loaders look here first.
  process.env.VK_DRIVER_FILES = manifest
}
