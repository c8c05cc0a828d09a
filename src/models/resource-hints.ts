/** What a model needs of the machine (Beam: resource hints); checked when the application starts. */
export interface ResourceHints {
  /** Memory of the machine or container: bytes, or a text such as '20GB' or '512 MiB'. */
  readonly minRam?: number | string
  /** Beam's form: 'type:nvidia-tesla-t4;count:1'. */
  readonly accelerator?: string
}
