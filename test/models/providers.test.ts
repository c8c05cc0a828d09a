import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RunInferenceError } from '../../src/errors.ts'
import { PROVIDERS, type Provider } from '../../src/models/executor.ts'
import { explainRefusal } from '../../src/models/provider-refusals.ts'
import { selectProvider } from '../../src/models/providers.ts'
import { rejects } from '../support/executor-checks.ts'

const preferred = (...providers: string[]) =>
  ({ providers: providers as Provider[], providerPolicy: 'preferred' }) as const
const required = (...providers: string[]) =>
  ({ providers: providers as Provider[], providerPolicy: 'required' }) as const

/** Opens on the providers that work, and notes what was tried. */
function opener(works: readonly Provider[]) {
  const tried: Provider[] = []
  const open = async (provider: Provider) => {
    tried.push(provider)
    if (!works.includes(provider)) throw new Error(`no ${provider} here`)
    return `session on ${provider}`
  }
  return { tried, open }
}

describe('the choice of a provider', () => {
  it('1, 4: the first in the given order that works, each tried once; whatever was tried is told with its reason', async () => {
    const some = fc.array(fc.constantFrom(...PROVIDERS), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(some, some, fc.boolean(), async (providers, works, mustBeFirst) => {
        const { tried, open } = opener(works)
        const asked = mustBeFirst ? required(...providers) : preferred(...providers)
        const candidates = [...new Set(mustBeFirst ? providers.slice(0, 1) : providers)]
        const expected = candidates.find(provider => works.includes(provider))
        const result = await selectProvider('m.onnx', asked, open).catch((error: unknown) => error as RunInferenceError)
        const before = expected === undefined ? candidates : candidates.slice(0, candidates.indexOf(expected))
        assert.deepEqual(tried, expected === undefined ? before : [...before, expected])
        if (result instanceof Error) {
          assert.equal(expected, undefined)
          assert.equal(result.code, 'MODEL_UNUSABLE')
          for (const provider of before) assert.ok(result.message.includes(`${provider}: no ${provider} here`))
          return
        }
        assert.deepEqual([result.provider, result.opened], [expected, `session on ${expected}`])
        assert.deepEqual(
          result.refused,
          before.map(provider => ({ provider, reason: `no ${provider} here` })),
        )
      }),
    )
  })

  it('1: what is required is not replaced by what works, and the error says so', async () => {
    const { tried, open } = opener(['cpu'])
    await rejects(
      selectProvider('m.onnx', required('cuda', 'cpu'), open),
      'MODEL_UNUSABLE',
      'm.onnx',
      'cuda is required',
      'no cuda here',
    )
    assert.deepEqual(tried, ['cuda'])
  })

  it('2: a name that is no provider is an error, wherever it stands, before anything is tried', async () => {
    for (const providers of [['tpu'], ['CUDA', 'cpu'], ['cpu', 'coreml']]) {
      const { tried, open } = opener(['cpu'])
      await rejects(
        selectProvider('m.onnx', preferred(...providers), open),
        'MODEL_UNUSABLE',
        providers.find(name => name !== 'cpu')!,
        'cpu, cuda, tensorrt, webgpu',
      )
      assert.deepEqual(tried, [])
    }
  })

  it('3: what is wrong with the model itself ends the search', async () => {
    const wrong = new RunInferenceError('MODEL_UNUSABLE', 'another signature')
    const tried: Provider[] = []
    const open = async (provider: Provider) => {
      tried.push(provider)
      throw wrong
    }
    await assert.rejects(selectProvider('m.onnx', preferred('cuda', 'cpu'), open), wrong)
    assert.deepEqual(tried, ['cuda'])
  })
})

describe('the reason of a refusal', () => {
  const noLibrary = (name: string) =>
    new Error(`OrtSessionOptionsAppendExecutionProvider_${name}: Failed to load shared library`)

  it('says how to install the CUDA libraries where they are missing', () => {
    for (const [provider, name] of [
      ['cuda', 'Cuda'],
      ['tensorrt', 'TensorRT'],
    ] as const) {
      const reason = explainRefusal(provider, noLibrary(name), tmpdir())
      assert.match(reason, /npm rebuild onnxruntime-node --onnxruntime-node-install=cuda12/)
      assert.match(reason, /README, section GPU/)
      assert.match(reason, /Failed to load shared library/)
    }
  })

  it('says what is wrong with a library that is there, and what it needs', () => {
    const folder = mkdtempSync(join(tmpdir(), 'providers-'))
    try {
      writeFileSync(join(folder, 'libonnxruntime_providers_cuda.so'), 'no library at all'.repeat(100))
      const reason = explainRefusal('cuda', noLibrary('Cuda'), folder)
      assert.match(reason, /libonnxruntime_providers_cuda\.so does not load: .*invalid ELF header/)
      assert.match(reason, /needs CUDA and cuDNN/)
      assert.doesNotMatch(reason, /npm rebuild/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('says what webgpu lacks, without the place in the sources of onnxruntime', () => {
    const text =
      '/onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 onnxruntime::webgpu::WebGpuContext::Initialize(const onnxruntime::webgpu::WebGpuContextConfig&)::<lambda()> adapter_result.status == wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter: No supported adapters\n'
    const reason = explainRefusal('webgpu', new Error(text))
    assert.match(reason, /Vulkan loader.*VK_ICD_FILENAMES.*\(Failed to get a WebGPU adapter: No supported adapters\)$/)
    assert.doesNotMatch(reason, /onnxruntime_src/)
  })

  it('says when this platform has no such provider, and otherwise what onnxruntime says', () => {
    const gone = new Error('no available backend found. ERR: [cuda] backend not found.')
    assert.match(explainRefusal('cuda', gone), /no cuda for \w+ on \w+/)
    assert.equal(explainRefusal('webgpu', new Error(' requires f16 \n')), 'requires f16')
    assert.equal(explainRefusal('cpu', 'text'), 'text')
  })
})
