// Tabular JSON: thirty named measurements of a tumour → malignant or benign, with both probabilities, keyed by id.
import {
  classOf,
  float32,
  from,
  fromTensor,
  int64,
  json,
  type KV,
  keyed,
  kv,
  onnx,
  text,
  topology,
  toTensor,
  utf8,
  withParameters,
} from 'kafka-run-inference'

const FEATURES = [
  'radius',
  'texture',
  'perimeter',
  'area',
  'smoothness',
  'compactness',
  'concavity',
  'concave_points',
  'symmetry',
  'fractal_dimension',
] as const
/** The columns in the order in which the models were trained. */
const COLUMNS = [
  ...FEATURES.map(feature => `mean_${feature}` as const),
  ...FEATURES.map(feature => `${feature}_error` as const),
  ...FEATURES.map(feature => `worst_${feature}` as const),
]
const CLASSES = ['malignant', 'benign'] as const

/** schemas/tumour.schema.json */
export type Tumour = { readonly id: string } & { readonly [C in (typeof COLUMNS)[number]]: number }

/** schemas/diagnosis.schema.json */
export interface Diagnosis {
  readonly id: string
  readonly diagnosis: (typeof CLASSES)[number]
  readonly probabilities: Readonly<Record<(typeof CLASSES)[number], number>>
  readonly modelId: string
}

const measurements = toTensor(COLUMNS)
const probabilities = fromTensor(CLASSES)
const diagnosis = classOf(CLASSES)

export default withParameters(
  { model: text('breast-cancer-gb (a tree ensemble) or breast-cancer-lr (a regression)', 'breast-cancer-gb') },
  ({ model }) => {
    const classifier = keyed(
      onnx({
        model: `models/${model}.onnx`,
        inputs: { x: float32(COLUMNS.length) },
        outputs: { label: int64(), probabilities: float32(CLASSES.length) },
      }),
    )
      .withPreprocess(({ key, value }: KV<string, Tumour>) => kv(key, { x: measurements(value) }))
      .withPostprocess(({ key, value: { inference, modelId } }): KV<string, Diagnosis> => {
        const likely = probabilities(inference.probabilities)
        return kv(key, { id: key, diagnosis: diagnosis(inference.label), probabilities: likely, modelId })
      })
    const diagnoses = from('tumours.measured', {
      key: utf8(),
      value: json<Tumour>({ schema: 'tumour' }),
    }).runInference('diagnose', classifier)
    return topology('breast-cancer', [
      diagnoses.to('tumours.diagnosed', { key: utf8(), value: json<Diagnosis>({ schema: 'diagnosis' }) }),
    ])
  },
)
