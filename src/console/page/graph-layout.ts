/**
 * Where the nodes of a topology are drawn: in layers from left to right, each right of all that it reads from.
 *
 * L1. An edge leads to the right.
 * L2. Nothing overlaps; an edge over several layers has a place of its own in each.
 * L3. The same graph is always drawn alike.
 */
import type { GraphView } from '../console-api.ts'

export const NODE = { width: 172, height: 54 } as const
const GAP = { x: 120, y: 22 } as const
const EDGE_PLACE_HEIGHT = 18
const SWEEPS = 6

export interface Point {
  readonly x: number
  readonly y: number
}

export interface GraphLayout {
  readonly width: number
  readonly height: number
  /** Left upper corners. */
  readonly nodes: ReadonlyMap<string, Point>
  /** From the right side of a node, by the places between, to the left side of another. */
  readonly edges: ReadonlyMap<string, readonly Point[]>
}

interface Place {
  readonly layer: number
  readonly height: number
  readonly before: Place[]
  readonly after: Place[]
  /** Of the middle. */
  y: number
}

export function layOut({ nodes, edges }: GraphView): GraphLayout {
  const layerOf = layersOf({ nodes, edges })
  const layers: Place[][] = Array.from({ length: Math.max(0, ...layerOf.values()) + 1 }, () => [])
  const add = (layer: number, height: number): Place => {
    const place: Place = { layer, height, before: [], after: [], y: 0 }
    layers[layer]!.push(place)
    return place
  }
  // Below the others of their layer, as far as edges let them be.
  const ordered = nodes.toSorted((a, b) => Number(a.kind === 'dead-letters') - Number(b.kind === 'dead-letters'))
  const places = new Map(ordered.map(({ id }) => [id, add(layerOf.get(id)!, NODE.height)]))
  const ways = new Map<string, readonly Place[]>()
  for (const { id, from, to } of edges) {
    const way = [places.get(from)!]
    for (let layer = way[0]!.layer + 1; layer < places.get(to)!.layer; layer++) way.push(add(layer, EDGE_PLACE_HEIGHT))
    way.push(places.get(to)!)
    way.slice(1).forEach((place, i) => {
      way[i]!.after.push(place)
      place.before.push(way[i]!)
    })
    ways.set(id, way)
  }
  for (const layer of layers) spread(layer)
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const forth = sweep % 2 === 0
    for (const layer of forth ? layers : layers.toReversed())
      settle(layer, place => (forth ? place.before : place.after))
  }
  const all = layers.flat()
  const top = Math.min(...all.map(({ y, height }) => y - height / 2), 0)
  const x = (layer: number) => layer * (NODE.width + GAP.x)
  return {
    width: x(layers.length) - GAP.x,
    height: Math.max(...all.map(({ y, height }) => y + height / 2), 0) - top,
    nodes: new Map([...places].map(([id, { layer, y }]) => [id, { x: x(layer), y: y - top - NODE.height / 2 }])),
    edges: new Map(
      [...ways].map(([id, way]) => [id, way.flatMap((place, i) => pointsOf(place, i === 0, i === way.length - 1))]),
    ),
  }

  function pointsOf({ layer, y }: Place, isFirst: boolean, isLast: boolean): readonly Point[] {
    const left = { x: x(layer), y: y - top }
    const right = { x: x(layer) + NODE.width, y: y - top }
    if (isFirst) return [right]
    return isLast ? [left] : [left, right]
  }
}

/** The longest way from a node without inputs. What a cycle would hold back goes behind all that it does not hold back. */
function layersOf({ nodes, edges }: GraphView): ReadonlyMap<string, number> {
  const layerOf = new Map(nodes.map(({ id }) => [id, 0]))
  for (let round = 0; round < nodes.length; round++) {
    let moved = false
    for (const { from, to } of edges) {
      if (layerOf.get(to)! > layerOf.get(from)!) continue
      layerOf.set(to, layerOf.get(from)! + 1)
      moved = true
    }
    if (!moved) break
  }
  return layerOf
}

/** One below the other, in their order. */
function spread(layer: Place[]): void {
  let y = 0
  for (const place of layer) {
    place.y = y + place.height / 2
    y += place.height + GAP.y
  }
}

/** Each as near as it goes to the middle of its neighbours, in the order that their places say. */
function settle(layer: Place[], neighbours: (place: Place) => readonly Place[]): void {
  const wanted = new Map(
    layer.map(place => {
      const near = neighbours(place)
      return [place, near.length === 0 ? place.y : near.reduce((sum, { y }) => sum + y, 0) / near.length]
    }),
  )
  // Sorting keeps the order of equals.
  layer.sort((a, b) => wanted.get(a)! - wanted.get(b)!)
  let end = Number.NEGATIVE_INFINITY
  for (const place of layer) {
    place.y = Math.max(wanted.get(place)!, end + GAP.y + place.height / 2)
    end = place.y + place.height / 2
  }
  const moved = layer.reduce((sum, place) => sum + place.y - wanted.get(place)!, 0) / layer.length
  for (const place of layer) place.y -= moved
}
