/** All targets; `--target all` takes them in this order. */
import type { TargetSource } from './target.ts'
import { answers } from './targets/answers.ts'
import { avro } from './targets/avro.ts'
import { avroSchemas } from './targets/avro-schemas.ts'
import { groups } from './targets/groups.ts'
import { headers } from './targets/headers.ts'
import { http } from './targets/http.ts'
import { httpRaw } from './targets/http-raw.ts'
import { json } from './targets/json.ts'
import { jsonSchemas } from './targets/json-schemas.ts'
import { modelIds } from './targets/model-ids.ts'
import { modelMetadata } from './targets/model-metadata.ts'
import { parameters } from './targets/parameters.ts'
import { recordBatches } from './targets/record-batches.ts'
import { settings } from './targets/settings.ts'
import { tensors } from './targets/tensors.ts'
import { wireFormat } from './targets/wire-format.ts'

export const sources: readonly TargetSource[] = [
  recordBatches,
  answers,
  groups,
  headers,
  wireFormat,
  avro,
  avroSchemas,
  json,
  jsonSchemas,
  tensors,
  modelMetadata,
  modelIds,
  settings,
  parameters,
  http,
  httpRaw,
]
