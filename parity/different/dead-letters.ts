/** Dead letters, and how a pipeline fails. */
import type { Difference } from '../different-on-purpose.ts'
import { differs, inRuns, pickled } from './differs.ts'

const COUNTED =
  'All rows of a batch are dead letters when the model gives another number of results; Beam drops or doubles some silently.'

export const DIFFERENT_DEAD_LETTERS: readonly Difference[] = [
  differs(
    'dlq_exception_repr',
    'Python types',
    'An error has a name and a text; Python shows the module of its class, and its arguments.',
    'failed_preprocessing[0][3].exception_repr.message',
    'failed_preprocessing[0][3].exception_type',
    'failed_preprocessing[0][3].traceback.last_line',
  ),
  differs(
    'dlq_inference_lazy_generator',
    'Q9',
    'A batch that fails while its results are read is counted as failed.',
    'metrics.counter RunInference/failed_batches_counter',
  ),
  pickled('dlq_inference_lazy_generator'),
  pickled('dlq_inference_whole_batch'),
  differs(
    'dlq_load_failure',
    'D8',
    'A model that cannot be loaded stops the instance before it joins, whatever exception handling and timeouts say.',
    'dlq.pipeline_error.where',
    'no_dlq.pipeline_error.where',
    'dlq_timeout_30.*',
  ),
  differs(
    'dlq_threshold',
    'watermark',
    'What failed is counted for a stage of a step, while records flow; Beam counts for each function, up to the watermark.',
    'pre_1_of_4_threshold_0.2.pipeline_error.where',
  ),
  differs(
    'num_bytes_raises',
    'Q9',
    'Bytes that cannot be counted harm nobody: the batch has its results, and is counted.',
    'failed_inferences:length',
    'main*',
    'metrics.*',
  ),
  differs(
    'result_count_fewer',
    'Q3',
    COUNTED,
    ...inRuns(['keyed_raw', 'per_key_raw', 'prediction_result', 'raw'], 'failed_inferences:length', 'main*'),
    'prediction_result.metrics.*',
  ),
  differs(
    'result_count_more',
    'Q3',
    COUNTED,
    ...inRuns(['keyed_raw', 'per_key_raw', 'prediction_result', 'raw'], 'failed_inferences:length', 'main*'),
    'prediction_result.metrics.*',
  ),
  differs(
    'timestamps_dead_letters',
    'D5',
    'A dead letter has the time of its record, each of a batch its own; there are no windows.',
    'dead_timestamp_and_window.*',
  ),
]
