// Where on the page one is: everything that is shown stands in the address behind the #, so that links, reloads and the back
// button lead there.

import type { TablesAnswer } from '../serve/answers.ts'

/** The views, by the words that stand in the address. */
export const VIEWS = ['search', 'type', 'symbol', 'map', 'resolve', 'status'] as const
export type View = (typeof VIEWS)[number]

export interface Route {
  /** The table's key; empty: the server's first. */
  readonly table: string
  readonly view: View
  /** A type's or symbol's name, or that of what was put. */
  readonly name: string
  readonly query: Readonly<Record<string, string>>
}

/** The properties of every view. */
export interface ViewProps {
  readonly route: Route
  readonly table: string
  readonly tables: TablesAnswer
  /** Changes when the table does. */
  readonly version: number
}

/** Reads an address; what is none leads to the search. */
export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2)
  const [table = '', view = '', name = ''] = path.split('/').map(decoded)
  const known = VIEWS.find((one) => one === view) ?? 'search'
  return { table, view: known, name, query: Object.fromEntries(new URLSearchParams(query)) }
}

function decoded(word: string): string {
  try {
    return decodeURIComponent(word)
  } catch {
    return word
  }
}

/** An address. What is empty or undefined in the query is left out. */
export function routeTo(
  table: string,
  view: View,
  name = '',
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const words = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) if (value !== undefined && value !== '') words.set(key, value)
  const tail = words.size > 0 ? `?${words}` : ''
  return `#/${encoded(table)}/${view}${name === '' ? '' : `/${encoded(name)}`}${tail}`
}

/** Names may hold halves of letters, which no address can. */
function encoded(word: string): string {
  return encodeURIComponent(wellFormed(word))
}

export function wellFormed(text: string): string {
  return text.replace(/\p{Cs}/gu, '\ufffd')
}

/** Goes there; `replace`: without a step for the back button. */
export function go(hash: string, replace = false): void {
  if (hash === location.hash) return
  if (replace) {
    history.replaceState(history.state, '', hash)
    dispatchEvent(new HashChangeEvent('hashchange'))
  } else location.hash = hash
}
