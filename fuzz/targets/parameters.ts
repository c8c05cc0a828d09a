/** Parameters of a topology module, as a command line gives them. */
import {
  describeParameters,
  flag,
  type GivenParameters,
  integer,
  parameterLines,
  text,
  withParameters,
} from '../../src/parameters.ts'
import type { Topology } from '../../src/topology.ts'
import { must, type Target, type TargetSource } from '../target.ts'

const PARAMETERS = {
  model: text('where the model is'),
  width: integer('columns', 64, 1),
  least: integer('may be below zero', -5, -10),
  trace: flag('says more', false),
  must: flag('has to be given'),
}

/** Lines `name=value` or `name`. */
function given(bytes: Buffer): GivenParameters {
  const pairs = bytes
    .toString()
    .split('\n')
    .map((line): [string, string | true] => {
      const at = line.indexOf('=')
      return at < 0 ? [line, true] : [line.slice(0, at), line.slice(at + 1)]
    })
  return Object.fromEntries(pairs)
}

export const parameters: TargetSource = {
  name: 'parameters',
  about: 'parameters of topology modules',
  open: (): Target => {
    let built: Record<string, unknown> = {}
    const module = withParameters(PARAMETERS, values => {
      built = values
      return {} as Topology
    })
    return {
      seeds: [
        'model=a.onnx\nmust',
        'model=b\nwidth=12\nleast=-7\ntrace=true\nmust=false',
        'model=c\nmust=true\nwidth=0',
      ].map(line => Buffer.from(line)),
      tokens: [
        'model=',
        '\nwidth=',
        '\nleast=',
        '\ntrace',
        '\nmust',
        '=',
        '\n',
        '-10',
        '9007199254740993',
        '1e3',
        '0x7',
        ' ',
        '__proto__=',
        'constructor',
        'toString=1',
      ].map(token => Buffer.from(token)),
      codes: ['SETTINGS_INVALID'],
      run(bytes) {
        const all = given(bytes)
        const described = describeParameters(PARAMETERS, all)
        must(parameterLines(described).length === described.length, 'a line for each parameter')
        module.build(all)
        for (const { name, value } of described)
          must(built[name] === value || typeof value === 'string', 'what is described is what is built with')
        const { model, width, least, trace } = built
        must(typeof model === 'string' && model !== '' && typeof trace === 'boolean', 'values are of their kind')
        must(
          Number.isSafeInteger(width) && (width as number) >= 1 && (least as number) >= -10,
          'numbers are in their range',
        )
      },
    }
  },
}
