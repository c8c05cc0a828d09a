import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { root } from '../repo/source-files.ts'

export interface ComposeService {
  readonly image: string
  readonly build?: string
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly networks: readonly string[]
  readonly profiles?: readonly string[]
  readonly restart: string
  readonly read_only?: boolean
  readonly stop_grace_period?: string
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean }
  readonly deploy?: { readonly resources: { readonly limits: { readonly cpus: string; readonly memory: string } } }
}

export interface ComposeFile {
  readonly name: string
  readonly services: Readonly<Record<string, ComposeService>>
  readonly volumes: Readonly<Record<string, unknown>>
  readonly networks: Readonly<Record<string, unknown>>
}

export const COMPOSE_PATH = join(root, 'docker-compose.yml')

/** docker-compose.yml, anchors and merges resolved. */
export function readComposeFile(): ComposeFile {
  return parse(readFileSync(COMPOSE_PATH, 'utf8'), { merge: true }) as ComposeFile
}

/** The part of a mount before the colon, and what it is mounted to. */
export function mountOf(volume: string): { readonly source: string; readonly target: string; readonly mode: string } {
  const [source = '', target = '', mode = 'rw'] = volume.split(':')
  return { source, target, mode }
}
