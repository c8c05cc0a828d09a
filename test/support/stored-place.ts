import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ModelStore } from './model-store.ts'

export interface StoredPlace {
  bytes: Buffer | undefined
}

type Put = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void

/** A path of a store that keeps what is put there. `onPut`: does something else than to keep what comes. */
export function storedPlace(store: ModelStore, path: string, bytes?: Buffer, onPut?: Put): StoredPlace {
  const place: StoredPlace = { bytes }
  store.routes.set(path, (request, response) => {
    if (request.method === 'PUT') {
      const pieces: Buffer[] = []
      request.on('data', piece => pieces.push(piece))
      request.on('end', () => {
        const body = Buffer.concat(pieces)
        if (onPut) return onPut(request, response, body)
        place.bytes = body
        response.writeHead(201).end()
      })
    } else if (place.bytes === undefined) response.writeHead(404).end()
    else response.writeHead(200, { 'content-length': place.bytes.length }).end(place.bytes)
  })
  return place
}
