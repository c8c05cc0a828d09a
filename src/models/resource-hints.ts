/** What a model needs of the machine (Beam: resource hints), in Beam's forms. */
import { badValue, type Problem, unknownNames } from '../problem.ts'

/** What a model needs of the machine (Beam: resource hints); checked when the application starts. */
export interface ResourceHints {
  /** Memory of the machine or container: bytes, or a text such as '20GB' or '512 MiB'; 0: no matter how little. */
  readonly minRam?: number | string
  /**
   * Beam's form: 'type:nvidia-tesla-t4;count:1'. What it says of installing drivers (`install-nvidia-driver`) is for whoever makes
   * the machine, and is not looked at.
   */
  readonly accelerator?: string
}

export interface Accelerator {
  /** In lower case. */
  readonly type: string
  readonly count: number
}

const HINTS = ['minRam', 'accelerator']
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  PB: 1e15,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
  PIB: 2 ** 50,
}
/** What an accelerator hint may say; all but the first two concern how machines are made. */
const ACCELERATOR_PARTS = ['type', 'count', 'topology', 'install-nvidia-driver', 'use_nvidia_mps']

/** Bytes; undefined where the text is none of '20GB', '512 MiB', '1.5 tb', '1000000'. */
export function parseRam(ram: number | string): number | undefined {
  if (typeof ram === 'number') return Number.isFinite(ram) && ram >= 0 ? ram : undefined
  const parts = /^\s*(\d+(?:\.\d+)?)\s*([kmgtp]?i?b?)\s*$/i.exec(String(ram))
  const unit = UNITS[parts?.[2]?.toUpperCase() ?? '-']
  return unit === undefined ? undefined : Math.round(Number(parts?.[1]) * unit)
}

/** Undefined where there is no type, or the count is no whole number from 1. */
export function parseAccelerator(hint: string): Accelerator | undefined {
  const parts = partsOf(hint)
  const { type, count = '1' } = parts
  if (type === undefined || type === '' || !/^[1-9]\d{0,3}$/.test(count)) return undefined
  return { type: type.toLowerCase(), count: Number(count) }
}

/** What is wrong with hints, before any machine is looked at. */
export function hintProblems(where: string, hints: ResourceHints): Problem[] {
  const problems = unknownNames(where, 'resource hint', hints, HINTS)
  const { minRam, accelerator } = hints
  if (minRam !== undefined && parseRam(minRam) === undefined)
    problems.push(badValue(where, 'minRam', "bytes, or a text such as '20GB' or '512 MiB'", minRam))
  if (accelerator === undefined) return problems
  if (typeof accelerator !== 'string' || parseAccelerator(accelerator) === undefined)
    problems.push(badValue(where, 'accelerator', "a text such as 'type:nvidia-tesla-t4;count:1'", accelerator))
  else problems.push(...unknownNames(`${where}, accelerator`, 'part', partsOf(accelerator), ACCELERATOR_PARTS))
  return problems
}

/** A step's own hints win over its handler's, hint by hint. */
export function mergedHints(handler: ResourceHints, step: ResourceHints = {}): ResourceHints {
  return { ...handler, ...step }
}

/** `name:value` or `name`, apart by semicolons; case of names and spaces around them do not count. */
function partsOf(hint: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    hint
      .split(';')
      .filter(part => part.trim() !== '')
      .map(part => {
        const [name = '', ...value] = part.split(':')
        return [name.trim().toLowerCase(), value.join(':').trim()]
      }),
  )
}
