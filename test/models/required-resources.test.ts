import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import type { RunInferenceError } from '../../src/errors.ts'
import { from, type ResourceHints, topology } from '../../src/index.ts'
import { bytes } from '../../src/kafka/plain-codecs.ts'
import { modelHandler } from '../../src/models/custom-handler.ts'
import { type Machine, readMachine } from '../../src/models/machine.ts'
import { requireResources, resourceFindings } from '../../src/models/required-resources.ts'

const PLAIN: Machine = { ramBytes: 16e9, nvidiaGpus: [], renderDevices: 0 }

function stepsWith(ofHandler: ResourceHints, ofStep?: ResourceHints) {
  const handler = modelHandler<Uint8Array, Uint8Array, null>({
    name: 'h',
    loadModel: () => null,
    runInference: batch => batch,
    resourceHints: ofHandler,
  })
  const options = ofStep === undefined ? {} : { resourceHints: ofStep }
  const answers = from('in', bytes()).runInference('classify', handler, options)
  return topology('t', [answers.to('out', bytes())]).steps
}

function findings(hints: ResourceHints, machine: Partial<Machine>) {
  const { problems, warnings } = resourceFindings(stepsWith(hints), { ...PLAIN, ...machine })
  return { problems: problems.map(({ got }) => got), warnings: warnings.map(({ got }) => got) }
}

const FINE = { problems: [], warnings: [] }

suite('resources that hints ask for', () => {
  test('memory: that of the machine, or of its container, must be as much', () => {
    assert.deepEqual(findings({ minRam: '16GB' }, {}), FINE)
    assert.deepEqual(findings({ minRam: '20GB' }, {}), { problems: ['16.0 GB'], warnings: [] })
  })

  test('a step that asks for less than its handler gets by with less', () => {
    assert.deepEqual(resourceFindings(stepsWith({ minRam: '20GB' }, { minRam: '8GB' }), PLAIN), FINE)
    assert.equal(resourceFindings(stepsWith({ minRam: '8GB' }, { minRam: '20GB' }), PLAIN).problems.length, 1)
  })

  test('an NVIDIA GPU is told by the words of its type, the size of its memory where the device tells it', () => {
    const has = (type: string, ...nvidiaGpus: (string | undefined)[]) =>
      findings({ accelerator: `type:${type};count:1;install-nvidia-driver` }, { nvidiaGpus })
    assert.deepEqual(has('nvidia-tesla-t4', 'Tesla T4'), FINE)
    assert.deepEqual(has('nvidia-l4', 'NVIDIA L4'), FINE)
    assert.deepEqual(has('nvidia-h200-141gb', 'NVIDIA H200'), FINE)
    assert.deepEqual(has('nvidia-a100-80gb', 'NVIDIA A100-SXM4-80GB'), FINE)
    assert.deepEqual(has('nvidia', 'Tesla T4'), FINE)
    assert.deepEqual(has('nvidia-a100-80gb', 'NVIDIA A100-SXM4-40GB').problems, ['NVIDIA A100-SXM4-40GB'])
    assert.deepEqual(has('nvidia-l4', 'NVIDIA L40S').problems, ['NVIDIA L40S'])
    assert.deepEqual(has('nvidia-tesla-t4').problems, ['no NVIDIA GPU'])
    assert.deepEqual(has('nvidia-tesla-t4', undefined), { problems: [], warnings: ['one of unknown model'] })
  })

  test('so many of them must be there', () => {
    const two = { accelerator: 'type:nvidia-tesla-t4;count:2' }
    assert.deepEqual(findings(two, { nvidiaGpus: ['Tesla T4', 'Tesla T4', 'NVIDIA L4'] }), FINE)
    assert.deepEqual(findings(two, { nvidiaGpus: ['Tesla T4', 'NVIDIA L4'] }).problems, ['Tesla T4, NVIDIA L4'])
  })

  test('devices of other makers: that there are some is checked, what they are is a warning', () => {
    const amd = { accelerator: 'type:amd-mi300x' }
    assert.deepEqual(findings(amd, {}).problems, ['0 in /dev/dri'])
    assert.deepEqual(findings(amd, { renderDevices: 1 }), {
      problems: [],
      warnings: ['1 in /dev/dri, of unknown model'],
    })
    assert.deepEqual(findings({ accelerator: 'type:tpu-v5-lite' }, {}), {
      problems: [],
      warnings: ['a type of accelerator that is not known here'],
    })
  })

  test('one error names everything that is missing', () => {
    const steps = stepsWith({ minRam: '20GB', accelerator: 'type:nvidia-tesla-t4' })
    const warned: string[] = []
    assert.throws(
      () => requireResources(steps, PLAIN, text => warned.push(text)),
      (error: RunInferenceError) =>
        error.code === 'RESOURCES_MISSING' &&
        error.problems.length === 2 &&
        /step "classify": .*expected minRam 20GB \(20\.0 GB\), got 16\.0 GB\. Give it more/.test(error.message),
    )
    requireResources(stepsWith({ accelerator: 'type:tpu' }), PLAIN, text => warned.push(text))
    assert.equal(warned.length, 1)
  })
})

suite('the machine', () => {
  test('GPUs are those that the driver lists and that have a device file here', t => {
    const root = mkdtempSync(join(tmpdir(), 'kri-machine-'))
    t.after(() => rmSync(root, { recursive: true }))
    assert.deepEqual(readMachine(root), { ramBytes: readMachine().ramBytes, nvidiaGpus: [], renderDevices: 0 })
    const driver = join(root, 'proc/driver/nvidia/gpus')
    for (const [bus, model, minor] of [
      ['0000:00:04.0', 'Tesla T4', 0],
      ['0000:00:05.0', 'NVIDIA L4', 1],
    ] as const) {
      mkdirSync(join(driver, bus), { recursive: true })
      const lines = [`Model: \t\t ${model}`, 'IRQ:   \t\t 33', 'Bus Type: \t PCIe', `Device Minor: \t ${minor}`, '']
      writeFileSync(join(driver, bus, 'information'), lines.join('\n'))
    }
    mkdirSync(join(root, 'dev/dri'), { recursive: true })
    for (const name of ['nvidia1', 'nvidia7', 'nvidiactl', 'nvidia-uvm', 'dri/card0', 'dri/renderD128'])
      writeFileSync(join(root, 'dev', name), '')
    const { nvidiaGpus, renderDevices } = readMachine(root)
    assert.deepEqual({ nvidiaGpus, renderDevices }, { nvidiaGpus: ['NVIDIA L4', undefined], renderDevices: 1 })
  })

  test('memory is never more than the machine has', () => {
    const { ramBytes } = readMachine()
    assert.ok(ramBytes > 0 && ramBytes <= totalmem(), String(ramBytes))
  })
})
