/** What is fuzzed: a place where bytes or text from outside are read. */
import type { ErrorCode } from '../src/errors.ts'
import type { Random } from './random.ts'

export interface Target {
  /** Valid inputs, which hostile ones are made of. */
  readonly seeds: readonly Buffer[]
  /** Parts that mean something in this input. */
  readonly tokens?: readonly Buffer[]
  /** The codes with which an input may be refused; anything else that is thrown is a finding. */
  readonly codes: readonly ErrorCode[]
  /** Makes a changed input fit again where nothing behind would be reached otherwise: lengths, checksums. */
  readonly repair?: (bytes: Buffer, random: Random) => Buffer
  /** Reads one input; throws a Violation when what it gives is wrong. A function of its input alone. */
  readonly run: (bytes: Buffer) => void | Promise<void>
  readonly close?: () => Promise<void>
}

export interface TargetSource {
  readonly name: string
  readonly about: string
  /** Executions of the short run in `npm test`; default 10,000. */
  readonly short?: number
  readonly open: () => Target | Promise<Target>
}

/** Something that must hold of what was read, and does not. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

/** Throws a Violation with this text unless it holds. */
export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Violation(what)
}
