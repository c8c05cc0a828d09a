/** Models: what a prediction is, what onnxruntime is given, and updates. */
import type { Difference } from '../different-on-purpose.ts'
import { A_WHOLE_RUN, differs, inRuns, pickled } from './differs.ts'

const LABELLED = 'A prediction says which model made it.'
const BYTES = 'The bytes of a row are counted, not those of one of its numbers.'
const GIVEN = 'The handler is given the model id with each load; Beam changes a path inside it, several times.'

export const DIFFERENT_MODELS: readonly Difference[] = [
  differs(
    'model_not_weakly_referencable',
    'Python types',
    'A model may be anything; Python has no weak references to a dict.',
    ...A_WHOLE_RUN,
  ),
  differs(
    'prediction_result_example',
    'Python types',
    'A model id is a text; Python has None too.',
    'model_id_none.main[0].model_id',
  ),
  differs(
    'prediction_result_fields',
    'Python types',
    'A prediction is an object, not a tuple.',
    'equals_plain_tuple',
    'is_tuple',
  ),
  differs(
    'onnx_bad_inputs',
    'Python types',
    'Float tensors take rows of any numbers, which are rounded; numpy makes float64 of them, which onnxruntime refuses.',
    'float64.*',
    'mixed_float32_float64.*',
    'python_list_of_floats.*',
  ),
  differs(
    'onnx_bad_inputs',
    'D1',
    'A row of another shape never enters the batch: it alone is a dead letter, and the other row has its result.',
    'mixed_shapes_64_and_63.*',
  ),
  differs(
    'onnx_inference_args',
    'D8',
    'An argument that the model has no input for is refused before the instance joins; Beam makes dead letters of all batches.',
    'unknown_input',
  ),
  differs(
    'onnx_inference_args',
    'Q3',
    'An argument in the place of the examples is refused; Beam gives its results out as if they were those of the rows.',
    'replaces_batch*',
  ),
  differs('onnx_keyed', 'Q14', LABELLED, 'main[*][1].model_id'),
  differs(
    'onnx_load_errors',
    'D8',
    'A model that cannot be loaded stops the instance before any step runs.',
    'corrupt.where',
    'missing.where',
  ),
  differs('onnx_num_bytes', 'Q13', BYTES, 'get_num_bytes'),
  differs('onnx_small_fixed_inputs', 'Q14', LABELLED, 'main[*].model_id'),
  differs('onnx_small_fixed_inputs', 'Q13', BYTES, 'metrics.*request_batch_byte_size.value.*'),
  differs(
    'update_bad_model',
    'D6',
    'A published model that cannot be loaded stops nothing: the handler’s own serves, under its own label, and status says why.',
    'dlq.failed_inferences:length',
    ...inRuns(['dlq', 'no_dlq'], 'batch_sizes*', 'batches_seen_by_model*', 'main*', 'model_loads*'),
    'no_dlq.pipeline_error',
  ),
  differs(
    'update_onnx_ignored',
    'Q14',
    'A published model is loaded; this one is no file, so that the own model goes on, under its label. Beam loads that again, without one.',
    'model_id',
  ),
  differs(
    'update_per_key_sequence',
    'Q5',
    'What is published before the first batch holds for it.',
    'update_before_first_batch[0].*',
    'update_before_first_batch[1].*',
    'update_before_first_batch[2].*',
  ),
  differs('update_per_key_sequence', 'Q2', 'Functions work around per-key models.', 'wrapped_by_preprocess*'),
  differs(
    'update_per_key_sequence',
    'D9',
    'Models are published key by key, the newest of each wins, and without one a key has the model of its handler.',
    'errors*',
  ),
  differs(
    'update_per_key_sequence',
    'D6',
    `${GIVEN} A model is proven in a spare lane before it serves, and loaded again in each lane that gets rows for it.`,
    'normal*',
  ),
  differs(
    'update_per_key_sequence',
    'D6',
    'What is published for what the handler does not have is ignored, which status and health tell, and stops nothing.',
    'model_metadata[1].*',
    'single[1].*',
  ),
  differs(
    'update_per_key_sequence',
    'D9',
    'Keys of one mapping share a model, also when it changes: it is published under the first of them.',
    'split_cohort*',
  ),
  differs(
    'update_sequence_failing_load',
    'D6',
    'A published model that cannot be loaded stops nothing: the one before goes on, and no batch fails.',
    '[1].error',
    '[1].results',
  ),
  differs(
    'update_sequence_failing_load',
    'Q6',
    'After a bad model, results are those of the old one and say so; Beam labels them with the bad one.',
    '[2].*',
  ),
  differs('update_sequence_failing_load', 'D6', GIVEN, '[3].update_model_path_calls:length'),
  differs('update_side_input_batch', 'D6', GIVEN, 'update_model_path_calls:length'),
  pickled('update_side_input_batch'),
  pickled('update_side_input_empty'),
  differs(
    'update_side_input_empty_id',
    'Q6',
    "An empty id is the handler's own model, and its predictions say so; Beam labels them with the empty text.",
    'main[0].model_id',
    'model_loads[0]',
    'update_model_path_calls:length',
  ),
  differs(
    'update_side_input_two',
    'D9',
    'Of two models that are published for a step the newest wins; Beam fails.',
    ...inRuns(['dlq', 'no_dlq'], ...A_WHOLE_RUN),
  ),
  differs(
    'update_side_input_windowed',
    'windows',
    'A model is published for all that comes after it, whatever the time of a record; Beam asks its window.',
    'main[*].model_id',
    'main_timestamp_and_window*',
    'model_loads*',
    'update_model_path_calls*',
  ),
]
