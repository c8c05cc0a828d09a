/** What a cluster is doing while it comes up, for a progress line: `text` alone must make sense to a reader. */
export interface ClusterProgress {
  readonly phase: 'fetch' | 'prepare' | 'start'
  readonly text: string
}

export type OnClusterProgress = (progress: ClusterProgress) => void
