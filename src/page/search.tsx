// The box that finds everything, and what it has found: answers as one types, with the keyboard alone.

import { useEffect, useRef, useState } from 'preact/hooks'
import { printable } from '../core/printable.ts'
import type { SearchAnswer, SearchHit } from '../serve/answers.ts'
import { tablePath, useAsked } from './api.ts'
import { go, parseRoute, routeTo, type ViewProps } from './route.ts'
import { Name, symbolHref, typeHref } from './words.tsx'

/** Where a hit leads. */
function hrefOf(table: string, hit: SearchHit): string {
  if (hit.type !== undefined) {
    const member = hit.kind === 'member' ? (hit.name.split(/\.|->/)[1] ?? '') : ''
    return typeHref(table, hit.type, member === '' ? {} : { member: member.replace(/\[.*/, '') })
  }
  const named = hit.kind === 'address' ? '' : hit.name
  return named === ''
    ? routeTo(table, 'symbol', '', { address: hit.address })
    : symbolHref(table, named, hit.owner, hit.address)
}

/** The box. The address follows what is typed, one step of the back button for each search. */
export function SearchBox({ route, table }: ViewProps) {
  const given = route.view === 'search' ? (route.query.q ?? '') : ''
  const [text, setText] = useState(given)
  const box = useRef<HTMLInputElement>(null)
  useEffect(() => {
    // The address changes behind the box too: by the back button, or a link. It is asked itself, because what is drawn may be some
    // letters behind what is typed.
    if (route.view === 'search') setText(parseRoute(location.hash).query.q ?? '')
    else if (document.activeElement !== box.current) setText('')
  }, [given, route.view])
  useEffect(() => {
    if (location.hash === '' || location.hash === '#/') box.current?.focus()
  }, [])
  const type = (event: { currentTarget: HTMLInputElement }) => {
    const { value } = event.currentTarget
    setText(value)
    // The address knows sooner than the view what was typed before: letters may come faster than it is drawn.
    const now = parseRoute(location.hash)
    go(routeTo(table, 'search', '', { q: value }), now.view === 'search' && (now.query.q ?? '') !== '')
  }
  const press = (event: KeyboardEvent) => {
    const list = document.getElementById('hits')
    if (list === null || route.view !== 'search') return
    const rows = [...list.querySelectorAll<HTMLElement>('[role=option]')]
    const now = rows.findIndex((row) => row.getAttribute('aria-selected') === 'true')
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key]
    if (step !== undefined && rows.length > 0) {
      event.preventDefault()
      const to = Math.max(0, Math.min(rows.length - 1, now + step))
      list.dispatchEvent(new CustomEvent('choose', { detail: to }))
    } else if (event.key === 'Enter') rows[Math.max(0, now)]?.click()
    else if (event.key === 'Escape') {
      setText('')
      go(routeTo(table, 'search'), true)
    }
  }
  const searching = route.view === 'search' && text !== ''
  return (
    <search class="box">
      <input
        ref={box}
        id="box"
        type="search"
        // biome-ignore lint/a11y/noRedundantRoles: it has no list of its own
        role="combobox"
        list={undefined}
        aria-label="search symbols, functions, types, members and addresses"
        aria-expanded={searching}
        aria-controls="hits"
        aria-autocomplete="list"
        aria-activedescendant={searching ? 'chosen' : undefined}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        placeholder="vfs_read, task_struct.mm, 0xffff…, tcp_*"
        value={text}
        onInput={type}
        onKeyDown={press}
      />
      <kbd>/</kbd>
    </search>
  )
}

const KINDS: Readonly<Record<SearchHit['kind'], string>> = {
  function: 'ƒ',
  symbol: '•',
  type: 'T',
  member: '.m',
  address: '@',
}

/** The hits. */
export function SearchView({ route, table, version, tables }: ViewProps) {
  const query = route.query.q ?? ''
  const path = query === '' ? '' : tablePath(table, 'search', { q: query, limit: 60 })
  const { answer, error, loading } = useAsked<SearchAnswer>(path, version)
  const [chosen, setChosen] = useState(0)
  const list = useRef<HTMLDivElement>(null)
  // Another question begins with its first answer.
  useEffect(() => setChosen(0), [query])
  useEffect(() => {
    const { current } = list
    const choose = (event: Event) => {
      if (event instanceof CustomEvent && typeof event.detail === 'number') setChosen(event.detail)
    }
    current?.addEventListener('choose', choose)
    return () => current?.removeEventListener('choose', choose)
  })
  // What is chosen comes into sight.
  useEffect(() => document.getElementById('chosen')?.scrollIntoView({ block: 'nearest' }), [chosen])
  if (query === '') return <Hints table={table} tables={tables} />
  const hits = answer?.hits ?? []
  return (
    <section class="found" aria-label="what was found">
      <h1 class="unseen">Search</h1>
      <p class="quiet count" role="status">
        {error !== undefined
          ? printable(error)
          : answer === undefined
            ? '…'
            : `${answer.more ? `the first ${hits.length} of more` : hits.length} found for ${printable(answer.query)} in ${answer.ms.toFixed(1)} ms`}
        {loading ? ' …' : ''}
      </p>
      <div id="hits" role="listbox" aria-label="answers" tabIndex={-1} ref={list}>
        {hits.map((hit, i) => (
          <a
            key={`${hit.kind} ${hit.name} ${hit.owner} ${hit.address ?? hit.type?.id}`}
            href={hrefOf(table, hit)}
            role="option"
            aria-selected={i === chosen}
            id={i === chosen ? 'chosen' : undefined}
            tabIndex={-1}
          >
            <span class={`mark-kind k-${hit.kind}`} title={hit.kind}>
              {KINDS[hit.kind]}
            </span>
            <span class="what">
              <Name of={hit.name} />
              {hit.owner !== 'vmlinux' && <span class="owner"> [{printable(hit.owner)}]</span>}
              {hit.others !== undefined && <span class="quiet"> and {hit.others} more</span>}
            </span>
            <span class="detail">{printable(hit.detail)}</span>
          </a>
        ))}
      </div>
      {answer !== undefined && hits.length === 0 && (
        <p>Nothing has this in its name. A type's members are found behind a dot, whole families by * and ?.</p>
      )}
    </section>
  )
}

const EXAMPLES: readonly (readonly [string, string])[] = [
  ['vfs_read', 'a function: prototype, arguments, whether it can be probed'],
  ['task_struct', 'a struct: its layout by cache line, who uses it'],
  ['task_struct.mm.pgd', 'a member, also through pointers'],
  ['.pgd', 'every struct that has a member of that name'],
  ['tcp_*_init', 'a family of names'],
]

function Hints({ table, tables }: Pick<ViewProps, 'table' | 'tables'>) {
  const module = tables.tables.find(({ key }) => key === table)?.module ?? null
  const examples = module === null ? EXAMPLES : [...EXAMPLES, [`${module}:`, "a module's symbols"] as const]
  return (
    <section class="hints">
      <h1>Look at a kernel</h1>
      <p>Type a name, a part of one, a member's path, an address. Arrows choose, Enter opens, / comes back here.</p>
      <ul>
        {examples.map(([query, words]) => (
          <li key={query}>
            <a href={routeTo(table, 'search', '', { q: query })}>
              <code>{printable(query)}</code>
            </a>
            <span class="quiet">{words}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}
