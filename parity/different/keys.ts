/** Keys, and models for each of them. */
import type { Difference } from '../different-on-purpose.ts'
import { differs, pickled } from './differs.ts'

const UNPAIRED =
  'What is no keyed element is a dead letter by itself, before the model; Python fails to unpack it, with its batch.'
const BY_RECORD = 'Results leave in the order of their records, not model by model.'
const BATCH_PER_MODEL =
  'A batch has one model, so what Beam counts as one batch of all keys is one for each model here.'

export const DIFFERENT_KEYS: readonly Difference[] = [
  pickled('keyed_basic'),
  differs('keyed_given_triples', 'Python types', UNPAIRED, 'failed_elsewhere', 'failed_inferences:length'),
  differs('keyed_given_unkeyed', 'Python types', UNPAIRED, '*'),
  differs('keyed_one_unkeyed_in_batch', 'Python types', `${UNPAIRED} The pair beside it gets its result.`, '*'),
  differs(
    'preprocess_drops_key',
    'Python types',
    UNPAIRED,
    'failed_inferences:length',
    'failed_preprocessing[0]:length',
  ),
  differs(
    'maybe_keyed_mixed_in_batch_keyed_first',
    'Python types',
    'Each element decides for itself whether it is keyed; in Beam the first of a batch does, and Python fails to unpack the other.',
    '*',
  ),
  differs(
    'maybe_keyed_mixed_in_batch_unkeyed_first',
    'Python types',
    'Each element decides for itself whether it is keyed; in Beam the model gets the pair, which Python takes twice instead of its number.',
    'batches_seen_by_model[0][1]',
    'main[1]*',
  ),
  differs(
    'no_batching_inside_keyed',
    'Q2',
    'A handler without batching inside a keyed one is refused, with what to do instead; Beam ignores the setting.',
    '*',
  ),
  differs(
    'per_key_basic',
    'D3',
    `${BY_RECORD} ${BATCH_PER_MODEL}`,
    'main:order',
    'metrics.distribution BatchElements/*',
  ),
  pickled('per_key_basic'),
  differs(
    'per_key_batching_kwargs_ignored',
    'Python types',
    'Lanes are threads that hold their models themselves; Beam shares them across processes, which Python needs to compute at once.',
    'share_model_across_processes',
  ),
  differs(
    'per_key_cohort_two_keys',
    'D3',
    `The model is called once for a batch, not once for each key. ${BY_RECORD}`,
    'batch_sizes*',
    'batches_seen_by_model*',
    'main:order',
  ),
  differs(
    'per_key_constructor_errors',
    'D3',
    'No mapping at all is refused, since every record would be a dead letter; copies of a per-key model are the lanes that hold it, as for any other.',
    'empty_mapping_list.*',
    'model_copies_2.*',
  ),
  differs(
    'per_key_hint_1',
    'D3',
    'Batches of the model that is loaded go first, so that it is loaded less often; results leave in the order of their records all the same.',
    'batches_seen_by_model:order',
    'metrics.*load_model_latency_milli_secs.value.count',
    'metrics.*model_byte_size.value.count',
    'model_loads:length',
  ),
  pickled('per_key_hint_1'),
  differs(
    'per_key_hint_2',
    'D3',
    'Batches form by model, so those of one model may go before older ones of another; results leave in the order of their records.',
    'batches_seen_by_model:order',
  ),
  differs(
    'per_key_load_failure',
    'Q4',
    'A model that cannot be loaded harms the records of its own keys only, also where the number of models is limited.',
    'hint_1.*',
  ),
  differs(
    'per_key_load_failure',
    'D3',
    'Its records are dead letters one by one, form no batches, and the load is tried again after a pause instead of with every batch.',
    'no_hint.failed_inferences*',
    'no_hint.metrics.distribution BatchElements/*',
    'no_hint.model_loads:length',
  ),
  pickled('per_key_load_failure', 'no_hint.'),
  differs(
    'per_key_one_model_fails',
    'D3',
    `A model that fails harms only the records of its own keys. ${BATCH_PER_MODEL}`,
    'failed_inferences*',
    'main:length',
    'metrics.distribution BatchElements/*',
  ),
  pickled('per_key_one_model_fails'),
  differs('per_key_unknown_key', 'D3', `A key of no mapping harms only its own record. ${BY_RECORD}`, '*'),
  differs(
    'per_key_with_preprocess',
    'Q2',
    'Functions work around per-key models; in Beam the first load fails with a KeyError. A record that is a batch asks for one model.',
    '*',
  ),
]
