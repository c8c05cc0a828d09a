/** How batches form, and the times of what leaves. */
import type { Difference } from '../different-on-purpose.ts'
import { differs } from './differs.ts'

export const DIFFERENT_BATCHES: readonly Difference[] = [
  differs(
    'batch_adaptive_linear_cost',
    'Python types',
    'Two sizes of 190 lie on a border that numpy rounds in its last bit to the one side, and we to the other.',
    'fixed10ms_per1ms.batch_sizes[10]',
    'fixed10ms_per1ms.batch_sizes[15]',
  ),
  differs(
    'batch_defaults',
    'D4',
    'A batch has at most 256 elements by default, where Beam starts with one and goes up to 10,000.',
    'BatchElements_defaults.max_batch_size',
  ),
  differs(
    'batch_defaults',
    'Python types',
    'An element counts as one, and the clock is the one of the engine: neither is a Python function.',
    'BatchElements_defaults.clock',
    'BatchElements_defaults.element_size_fn',
  ),
  differs(
    'batch_duration_stateful',
    'Q1',
    'What elements weigh counts also where batches wait; here each weighs two, so that two of them are a batch.',
    'with_element_size_fn.*',
  ),
  differs(
    'batch_length_buckets',
    'bundles',
    'Buckets hold within a bundle too; Beam forms them only across bundles, where batches may wait.',
    'without_duration.*',
  ),
  differs(
    'batch_length_buckets',
    'D4',
    'Results leave in the order of their records, not batch by batch.',
    'with_duration.main:order',
  ),
  differs(
    'timestamps_fixed_windows',
    'windows',
    'Batches are made of what comes, and results keep the time of their record; Beam batches by window and gives its end.',
    'batch_sizes*',
    'batches_seen_by_model*',
    'main:order',
    'main_timestamp_and_window*',
  ),
  differs(
    'timestamps_global_window',
    'D5',
    'A result has the time of its record, not the end of all time.',
    'main_timestamp_and_window[*][0]',
  ),
]
