// The page: what stands on every view, and which view the address means.

import { render } from 'preact'
import { useEffect, useLayoutEffect, useState } from 'preact/hooks'
import { printable } from '../core/printable.ts'
import type { NewsAnswer, TablesAnswer } from '../serve/answers.ts'
import { ask } from './api.ts'
import { MapView } from './map.tsx'
import { ResolveView } from './resolve.tsx'
import { go, parseRoute, type Route, routeTo, type ViewProps } from './route.ts'
import { SearchBox, SearchView } from './search.tsx'
import { StatusView } from './status.tsx'
import { SymbolView } from './symbol.tsx'
import { followTravels } from './travel.ts'
import { TypeView } from './type.tsx'

const TITLES: Readonly<Record<Route['view'], string>> = {
  search: 'Search',
  type: 'Type',
  symbol: 'Symbol',
  map: 'Address space',
  resolve: 'Resolve',
  status: 'Status',
}

function App() {
  const [route, setRoute] = useState(() => parseRoute(location.hash))
  const [tables, setTables] = useState(tablesInPage)
  const [failure, setFailure] = useState<string>()
  const [news, setNews] = useState<NewsAnswer>()
  const [version, setVersion] = useState(0)
  useEffect(() => {
    const follow = () => setRoute(parseRoute(location.hash))
    addEventListener('hashchange', follow)
    return () => removeEventListener('hashchange', follow)
  }, [])
  // They stand in the page, and are asked for when a table has news.
  useLayoutEffect(() => {
    if (version === 0 && tables !== undefined) return
    ask<TablesAnswer>('v1/tables').then(setTables, (error: unknown) => setFailure(String(error)))
  }, [version])
  useEffect(() => {
    const events = new EventSource('v1/events')
    events.addEventListener('generation', (event) => {
      setNews(JSON.parse(event.data) as NewsAnswer) // Server and page are built from the same description.
      setVersion((before) => before + 1)
    })
    return () => events.close()
  }, [])
  useKeys(route, tables)
  const title = route.name === '' ? TITLES[route.view] : printable(route.name)
  useEffect(() => {
    document.title = `${title} · kerndex`
  }, [title])
  if (tables === undefined) return <main>{failure === undefined ? null : <p role="alert">{failure}</p>}</main>
  if (tables.tables.length === 0)
    return <main>This server has a catalogue of builds and no table: programs ask it by build id.</main>
  const table = route.table === '' ? (tables.tables[0]?.key ?? '') : route.table
  const props: ViewProps = { route, table, tables, version }
  return (
    <>
      <button type="button" class="skip" onClick={skip}>
        to the content
      </button>
      <header class="top">
        <a class="mark" href={routeTo(table, 'search')}>
          kerndex
        </a>
        <SearchBox {...props} />
        <nav class="views" aria-label="views">
          {(['map', 'resolve', 'status'] as const).map((view) => (
            <a key={view} href={routeTo(table, view)} aria-current={route.view === view ? 'page' : undefined}>
              {TITLES[view]}
            </a>
          ))}
        </nav>
        <TableChooser {...props} />
      </header>
      <main id="main" tabIndex={-1} aria-label={title}>
        {tables.tables.some(({ key }) => key === table) ? <Shown {...props} /> : <NoTable {...props} />}
      </main>
      <News news={news} table={table} />
    </>
  )
}

function tablesInPage(): TablesAnswer | undefined {
  const text = document.getElementById('tables')?.textContent ?? ''
  return text === '' ? undefined : (JSON.parse(text) as TablesAnswer) // Server and page are built from the same description.
}

/** A link may be older than the choice of kernels. */
function NoTable({ route, table, tables }: ViewProps) {
  return (
    <article>
      <h1>{printable(table)} is not open here</h1>
      <p role="alert">This server has other kernels:</p>
      <ul>
        {tables.tables.map(({ key, release }) => (
          <li key={key}>
            <a href={routeTo(key, route.view, route.name, route.query)}>{printable(key)}</a>
            {release !== null && ` · ${printable(release)}`}
          </li>
        ))}
      </ul>
    </article>
  )
}

/** A link within the page would take the place of the address of the view. */
function skip() {
  document.getElementById('main')?.focus()
}

function Shown(props: ViewProps) {
  switch (props.route.view) {
    case 'search':
      return <SearchView {...props} />
    case 'type':
      return <TypeView {...props} />
    case 'symbol':
      return <SymbolView {...props} />
    case 'map':
      return <MapView {...props} />
    case 'resolve':
      return <ResolveView {...props} />
    case 'status':
      return <StatusView {...props} />
  }
}

function TableChooser({ route, table, tables }: ViewProps) {
  const choose = (event: { currentTarget: HTMLSelectElement }) => {
    // What is asked of a type or symbol by name can be asked of another kernel; a place cannot.
    const { address: _, start: __, end: ___, id: ____, ...query } = route.query
    go(routeTo(event.currentTarget.value, route.view, route.view === 'resolve' ? '' : route.name, query))
  }
  const chosen = tables.tables.find(({ key }) => key === table)
  return (
    <label class="chooser">
      <span class="unseen">kernel</span>
      <select value={table} onChange={choose}>
        {chosen === undefined && <option value={table}>{printable(table)}: not there</option>}
        {tables.tables.map(({ key, release }) => (
          <option key={key} value={key}>
            {printable(key)}
            {release === null ? '' : ` · ${printable(release)}`}
          </option>
        ))}
      </select>
    </label>
  )
}

const MOST_NAMED = 4

/** What has come and gone in the running kernel. */
function News({ news, table }: { readonly news: NewsAnswer | undefined; readonly table: string }) {
  const named = (list: readonly string[]) => {
    const some = list.slice(0, MOST_NAMED).map(printable).join(', ')
    return list.length > MOST_NAMED ? `${some} and ${list.length - MOST_NAMED} more` : some
  }
  return (
    <div class="news" role="status">
      {news !== undefined && news.key === table && (
        <p>
          generation {news.generation}
          {news.fresh.length > 0 && `, new: ${named(news.fresh)}`}
          {news.gone.length > 0 && `, gone: ${named(news.gone)}`}
        </p>
      )}
    </div>
  )
}

/** `/` goes to the search box, g and a letter to a view. */
function useKeys(route: Route, tables: TablesAnswer | undefined) {
  useEffect(() => {
    let waits = false
    const press = (event: KeyboardEvent) => {
      const at = event.target
      const types = at instanceof HTMLElement && at.closest('input, textarea, select') !== null
      if (types || event.ctrlKey || event.metaKey || event.altKey) return
      const table = route.table === '' ? (tables?.tables[0]?.key ?? '') : route.table
      const view = waits ? ({ m: 'map', r: 'resolve', s: 'status' } as const)[event.key] : undefined
      waits = event.key === 'g'
      if (view !== undefined) go(routeTo(table, view))
      if (event.key !== '/') return
      event.preventDefault()
      const box = document.getElementById('box')
      if (box instanceof HTMLInputElement) {
        box.focus()
        box.select()
      }
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [route, tables])
}

followTravels()
const root = document.getElementById('app')
if (root !== null) render(<App />, root)
