import type { CommandSpec } from './command.ts'

export const describeCommand: CommandSpec = {
  name: 'describe',
  summary:
    'show what a topology is: parameters, topics, codecs, functions, models, batches, dead letters; connects to nothing',
  argument: { name: '<topology>', help: 'topology module, e.g. topologies/digits.ts', completes: 'topology' },
  options: [
    {
      flags: '--format <name>',
      help: 'as a tree, as a Mermaid diagram for a Markdown file, or as JSON',
      choices: ['text', 'mermaid', 'json'],
      fallback: 'text',
    },
  ],
  settings: [],
  examples: [
    ['describe topologies/digits.ts', 'a tree of the graph, and the list of its topics'],
    ['describe topologies/digits.ts --format mermaid', 'a diagram'],
    ['describe topologies/raw-tensors.ts --param model=m.onnx --param width=64', 'with its parameters'],
  ],
  exitCodes: { 1: 'the module cannot be loaded, or its graph has problems' },
  json: 'one object: format, name, applicationId, digest, provenance, parameters, nodes, topics, parts',
  load: async () => (await import('./describe.ts')).describe,
}
