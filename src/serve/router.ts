// The table of routes, and how a path finds its row. A route's path is made of words and of names in front of which stands a
// colon; a name takes one segment, whatever is in it.

import type { Call, Reply } from './call.ts'

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  /** It says nothing of any kernel: no token is needed. */
  readonly open?: boolean
  /** Where it is counted; default: with all others. `stream`: it works on much; `listen`: it stays for long; `none`: never refused. */
  readonly load?: 'stream' | 'listen' | 'none'
  /** Whether pages of the origins that were named may read its answer. */
  readonly crossOrigin?: boolean
  readonly run: (call: Call) => Reply | Promise<Reply>
}

/** A route that a path found, with what its names stand for. */
export interface Match {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

interface Row {
  readonly segments: readonly string[]
  readonly byMethod: Map<string, Route>
}

/** Finds routes by method and path. */
export class Router {
  /** Routes whose paths are words alone, by path; and routes with names in their paths. */
  readonly #plain = new Map<string, Row>()
  readonly #named: Row[] = []

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const segments = route.path.slice(1).split('/')
      const named = route.path.includes(':')
      const known = named
        ? this.#named.find((row) => row.segments.join('/') === segments.join('/'))
        : this.#plain.get(route.path)
      const row = known ?? { segments, byMethod: new Map<string, Route>() }
      row.byMethod.set(route.method, route)
      if (!named) this.#plain.set(route.path, row)
      else if (known === undefined) this.#named.push(row)
    }
  }

  /** The route; the methods that there are where it is another; undefined where no route has this path. */
  find(method: string, path: string): Match | { readonly allowed: readonly string[] } | undefined {
    const plain = this.#plain.get(path)
    if (plain !== undefined) return answerOf(plain, method, {})
    const given = path.slice(1).split('/')
    for (const row of this.#named) {
      const params = matching(row.segments, given)
      if (params !== undefined) return answerOf(row, method, params)
    }
    return undefined
  }
}

function answerOf({ byMethod }: Row, method: string, params: Match['params']): Match | { readonly allowed: string[] } {
  const route = byMethod.get(method === 'HEAD' ? 'GET' : method)
  return route === undefined ? { allowed: [...byMethod.keys()] } : { route, params }
}

function matching(segments: readonly string[], given: readonly string[]): Record<string, string> | undefined {
  if (segments.length !== given.length) return undefined
  const params: Record<string, string> = {}
  for (const [i, segment] of segments.entries()) {
    const word = given[i]!
    if (segment.startsWith(':')) {
      const value = decoded(word)
      if (value === undefined || value === '') return undefined
      params[segment.slice(1)] = value
    } else if (segment !== word) return undefined
  }
  return params
}

function decoded(word: string): string | undefined {
  try {
    return decodeURIComponent(word)
  } catch {
    return undefined
  }
}
