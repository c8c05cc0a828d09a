/** The places of the page. An address that is none of them is the overview. */

import { openDeadLetters } from './dead-letters.ts'
import { openGraph } from './graph.ts'
import { openInstances } from './instances.ts'
import { openLetter } from './letter.ts'
import { openModels } from './models.ts'
import { openOverview } from './overview.ts'
import type { OpenPage } from './page.ts'

export interface Route {
  readonly path: string
  readonly open: OpenPage
  /** In the navigation. */
  readonly label?: string
}

export const ROUTES: readonly Route[] = [
  { path: '#/overview', label: 'Overview', open: openOverview },
  { path: '#/graph', label: 'Graph', open: openGraph },
  { path: '#/models', label: 'Models', open: openModels },
  { path: '#/dead-letters', label: 'Dead letters', open: openDeadLetters },
  { path: '#/instances', label: 'Instances', open: openInstances },
  { path: '#/dead-letters/letter', open: openLetter },
]

export function routeOf(hash: string): { readonly route: Route; readonly parameters: URLSearchParams } {
  const [path, ...rest] = hash.split('?')
  return {
    route: ROUTES.find(route => route.path === path) ?? ROUTES[0]!,
    parameters: new URLSearchParams(rest.join('?')),
  }
}
