/**
 * Why a provider does not take a model, in words that say what to do. For cuda and tensorrt onnxruntime keeps to itself which
 * library is missing, so its libraries are looked at here, after it has failed.
 */
import { existsSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { dirname, join } from 'node:path'
import type { Provider } from './executor.ts'

const LIBRARIES: { readonly [P in Provider]?: { readonly file: string; readonly needs: string } } = {
  cuda: { file: 'libonnxruntime_providers_cuda.so', needs: 'CUDA and cuDNN' },
  tensorrt: { file: 'libonnxruntime_providers_tensorrt.so', needs: 'CUDA, cuDNN and TensorRT' },
}

/** `folder`: where onnxruntime-node keeps its libraries; default: where it is installed. */
export function explainRefusal(provider: Provider, error: unknown, folder = installedFolder()): string {
  // The place in onnxruntime's sources and the condition that did not hold help nobody here.
  const said = (error instanceof Error ? error.message : String(error)).trim()
  const text = said.replace(/^\/\S+:\d+ .* was false\. /, '').replace(/\.$/, '')
  const library = LIBRARIES[provider]
  if (library && text.includes('Failed to load shared library')) return `${missing(library, folder)} (${text})`
  if (text.includes('backend not found'))
    return `onnxruntime-node has no ${provider} for ${process.platform} on ${process.arch}`
  if (text.includes('Failed to get a WebGPU adapter')) {
    return (
      'found no GPU through Vulkan: install the Vulkan loader (libvulkan.so.1) and the driver of the GPU, ' +
      `or name a driver in VK_ICD_FILENAMES (README, section GPU) (${text})`
    )
  }
  return text
}

function missing({ file, needs }: { readonly file: string; readonly needs: string }, folder: string): string {
  const path = join(folder, file)
  if (!existsSync(path)) {
    return (
      'onnxruntime-node is installed without its CUDA libraries: ' +
      'npm rebuild onnxruntime-node --onnxruntime-node-install=cuda12 (README, section GPU)'
    )
  }
  return (
    `${file} does not load: ${loadError(path)}. It needs ${needs}, of the versions that numbers behind .so name, ` +
    "where the system's loader finds them (LD_LIBRARY_PATH)"
  )
}

function loadError(path: string): string {
  try {
    // Nothing is used of it: loading is the only way to learn what it lacks.
    process.dlopen({ exports: {} }, path)
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    if (!text.includes('did not self-register')) return text.trim()
  }
  return 'all its libraries are there, so the driver of the GPU is to be looked at (nvidia-smi)'
}

function installedFolder(): string {
  const manifest = findPackageJSON('onnxruntime-node', import.meta.url)
  return join(dirname(manifest ?? ''), 'bin', 'napi-v6', process.platform, process.arch)
}
