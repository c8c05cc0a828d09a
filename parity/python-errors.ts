/** The error classes that the recorded functions and models threw, so that their names can be compared as they are. */

export class ValueError extends Error {
  override readonly name = 'ValueError'
}

export class RuntimeError extends Error {
  override readonly name = 'RuntimeError'
}

export class KeyError extends Error {
  override readonly name = 'KeyError'
}

/** Python keeps the arguments of an exception, JavaScript its text. */
export class Custom extends Error {
  override readonly name = 'Custom'

  constructor(...args: readonly unknown[]) {
    super(args.map(String).join(', '))
  }
}
