// The address space to scale: sections of the core kernel, modules, bpf programs, trampolines and the holes between them, down to
// single symbols; and what takes the space.

import { useEffect, useRef } from 'preact/hooks'
import { printable } from '../core/printable.ts'
import type { MapAnswer, SizesAnswer, StretchAnswer } from '../serve/answers.ts'
import { tablePath, useAsked } from './api.ts'
import { go, routeTo, type ViewProps } from './route.ts'
import { AXIS, Bar, bytes, Name, number, SymbolLink, symbolHref, Waiting, WaitingView } from './words.tsx'

/** Columns that the server counts in: pictures are scaled. */
const WIDTH = 1400
/** Bytes below which nothing is looked at more closely. */
const CLOSEST = 64n
const MOST_ROWS = 300

const KIND_WORDS: readonly (readonly [StretchAnswer['kind'], string])[] = [
  ['text', 'code'],
  ['rodata', 'read-only data'],
  ['data', 'data'],
  ['init', 'initialisation'],
  ['module', 'modules'],
  ['bpf', 'bpf programs'],
  ['ftrace', 'trampolines'],
  ['other', 'other'],
]

export function MapView(props: ViewProps) {
  const { route, table, version } = props
  const { start, end } = route.query
  const { answer, error } = useAsked<MapAnswer>(tablePath(table, 'map', { start, end, width: WIDTH }), version)
  if (answer === undefined) return <WaitingView table={table} title="Address space" error={error} />
  const size = Number(BigInt(answer.end) - BigInt(answer.start))
  return (
    <article>
      <header class="head">
        <h1>Address space</h1>
        <p class="facts">
          <code>{answer.start}</code> to <code>{answer.end}</code> · {bytes(size)}
        </p>
      </header>
      <Strip table={table} answer={answer} />
      <Islands table={table} answer={answer} />
      <div class="columns">
        <InSight table={table} answer={answer} />
        <Sizes {...props} />
      </div>
    </article>
  )
}

/** Moves within what there is. */
function moved(answer: MapAnswer, table: string, factor: number, shift: number, at = 0.5): string {
  const [start, end, first, last] = [answer.start, answer.end, answer.first, answer.last].map(BigInt) as [
    bigint,
    bigint,
    bigint,
    bigint,
  ]
  const size = Number(end - start)
  const next = BigInt(Math.max(Number(CLOSEST), Math.round(size * factor)))
  const fixed = start + BigInt(Math.round(size * at))
  let from = fixed - BigInt(Math.round(Number(next) * at)) + BigInt(Math.round(size * shift))
  if (from < first && start >= first) from = first
  if (from < 0n) from = 0n
  let to = from + next
  if (to > last && end <= last) {
    to = last
    from = to - next < first ? first : to - next
  }
  if (from <= first && to >= last) return routeTo(table, 'map')
  return routeTo(table, 'map', '', { start: hexOf(from), end: hexOf(to) })
}

const hexOf = (address: bigint) => `0x${address.toString(16)}`

/** Where a stretch leads: a symbol to its view, anything else to a closer look. */
function hrefOf(table: string, answer: MapAnswer, { start, end, owner, name }: StretchAnswer): string {
  if (answer.isSymbols && !/ and \d+ more$/.test(name)) return symbolHref(table, name, owner, start)
  return routeTo(table, 'map', '', { start, end })
}

function Strip({ table, answer }: { readonly table: string; readonly answer: MapAnswer }) {
  const strip = useRef<HTMLElement>(null)
  const start = BigInt(answer.start)
  const size = Number(BigInt(answer.end) - start)
  const share = (address: string) => (100 * Number(BigInt(address) - start)) / size
  useEffect(() => {
    const { current } = strip
    const turn = (event: WheelEvent) => {
      if (current === null || event.ctrlKey || Math.abs(event.deltaY) < Math.abs(event.deltaX)) return
      event.preventDefault()
      const box = current.getBoundingClientRect()
      go(moved(answer, table, event.deltaY > 0 ? 2 : 0.5, 0, (event.clientX - box.left) / box.width), true)
    }
    current?.addEventListener('wheel', turn, { passive: false })
    return () => current?.removeEventListener('wheel', turn)
  }, [answer, table])
  const press = (event: KeyboardEvent) => {
    const to: Readonly<Record<string, string>> = {
      '+': moved(answer, table, 0.5, 0),
      '=': moved(answer, table, 0.5, 0),
      '-': moved(answer, table, 2, 0),
      ArrowLeft: moved(answer, table, 1, -0.25),
      ArrowRight: moved(answer, table, 1, 0.25),
      '0': routeTo(table, 'map'),
    }
    const hash = to[event.key]
    if (hash === undefined || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    go(hash, true)
  }
  return (
    <section aria-label="map">
      <div class="tools">
        <a href={moved(answer, table, 0.5, 0)} aria-label="closer">
          +
        </a>
        <a href={moved(answer, table, 2, 0)} aria-label="further away">
          −
        </a>
        <a href={moved(answer, table, 1, -0.25)} aria-label="to lower addresses">
          ←
        </a>
        <a href={moved(answer, table, 1, 0.25)} aria-label="to higher addresses">
          →
        </a>
        <a href={routeTo(table, 'map')}>all</a>
        {answer.places.map(({ name, start: from, end: to }) => (
          <a key={name} href={routeTo(table, 'map', '', { start: from, end: to })}>
            {name}
          </a>
        ))}
        <ul class="legend" aria-label="colours">
          {KIND_WORDS.map(([kind, words]) => (
            <li key={kind}>
              <span class={`swatch kind-${kind}`} />
              {words}
            </li>
          ))}
        </ul>
      </div>
      <section
        class="strip-map"
        ref={strip}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: keys move and zoom it
        tabIndex={0}
        onKeyDown={press}
        aria-label="map: plus, minus and arrows move it"
      >
        {answer.stretches.map((one) => {
          const left = Math.max(0, share(one.start))
          const right = Math.min(100, share(one.end))
          if (right <= 0 || left >= 100) return null
          const words = `${one.name}${one.name === one.owner ? '' : ` [${one.owner}]`}, ${bytes(Number(BigInt(one.end) - BigInt(one.start)))}`
          return (
            <a
              key={`${one.start} ${one.name}`}
              class={`stretch kind-${one.kind}`}
              href={hrefOf(table, answer, one)}
              style={{ left: `${left}%`, width: `max(1px, ${right - left}%)` }}
              title={printable(words)}
              tabIndex={-1}
              aria-label={printable(words)}
            >
              {right - left > 1.5 && <span>{printable(one.name)}</span>}
            </a>
          )
        })}
      </section>
      <div class="axis" aria-hidden="true">
        {([0, 25, 50, 75, 100] as const).map((at) => (
          <span key={at} style={{ left: `${at}%` }} class={AXIS[at]}>
            {hexOf(start + BigInt(Math.round((size * at) / 100)))}
          </span>
        ))}
      </div>
    </section>
  )
}

function Islands({ table, answer }: { readonly table: string; readonly answer: MapAnswer }) {
  if (answer.islands.length < 2) return null
  return (
    <p class="quiet islands">
      memory lies in {answer.islands.length} places far apart:{' '}
      {answer.islands.map(({ start, end, name }) => (
        <a key={start} href={routeTo(table, 'map', '', { start, end })}>
          {printable(name)} at {start}
        </a>
      ))}
    </p>
  )
}

/** The same as the picture, in words. */
function InSight({ table, answer }: { readonly table: string; readonly answer: MapAnswer }) {
  const rows = answer.stretches.slice(0, MOST_ROWS)
  return (
    <section>
      <h2>In sight</h2>
      {rows.length === 0 && <p class="quiet">Nothing lies here.</p>}
      <ul class="neighbours">
        {rows.map((one) => (
          <li key={`${one.start} ${one.name}`}>
            <span class="address">{one.start}</span> <span class={`swatch kind-${one.kind}`} />{' '}
            <a href={hrefOf(table, answer, one)}>
              <Name of={one.name} />
            </a>{' '}
            <span class="quiet">
              {bytes(Number(BigInt(one.end) - BigInt(one.start)))}
              {one.owner !== 'vmlinux' && one.owner !== one.name && ` [${printable(one.owner)}]`}
            </span>
          </li>
        ))}
      </ul>
      {answer.stretches.length > MOST_ROWS && (
        <p class="quiet">and {number(answer.stretches.length - MOST_ROWS)} more</p>
      )}
    </section>
  )
}

const MOST_OWNERS = 24

/** The colour of an owner's memory, most of which is of that kind. */
function kindOfOwner(owner: string): StretchAnswer['kind'] {
  if (owner === 'vmlinux') return 'text'
  return owner === 'bpf' ? 'bpf' : owner.startsWith('__builtin__') ? 'ftrace' : 'module'
}

function Sizes({ table, version }: ViewProps) {
  const { answer, error } = useAsked<SizesAnswer>(tablePath(table, 'sizes', {}), version)
  if (answer === undefined) return <Waiting error={error} />
  const rows = (list: readonly { words: string; kind: string; bytes: number; symbols: number }[]) => {
    const most = list[0]?.bytes ?? 1
    return (
      <ul class="sizes">
        {list.map(({ words, kind, bytes: size, symbols }) => (
          <li key={words}>
            <span class="what">{printable(words)}</span>
            <Bar share={size / most} kind={kind} />
            <span class="number">{bytes(size)}</span>
            <span class="quiet number">{number(symbols)}</span>
          </li>
        ))}
      </ul>
    )
  }
  const words = new Map<string, string>(KIND_WORDS)
  return (
    <section>
      <h2>What takes the space, by kind</h2>
      {rows(answer.kinds.map(({ kind, ...one }) => ({ ...one, kind, words: words.get(kind) ?? kind })))}
      <h2>By owner</h2>
      {rows(
        answer.owners
          .slice(0, MOST_OWNERS)
          .map(({ owner, ...one }) => ({ ...one, words: owner, kind: kindOfOwner(owner) })),
      )}
      {answer.owners.length > MOST_OWNERS && <p class="quiet">and {answer.owners.length - MOST_OWNERS} more owners</p>}
      <h2>Largest symbols</h2>
      <ul class="neighbours">
        {answer.largest.map(({ address, name, owner, size }) => (
          <li key={`${address} ${name}`}>
            <span class="number">{bytes(size)}</span>{' '}
            <SymbolLink table={table} name={name} owner={owner} address={address} />
            {owner !== 'vmlinux' && <span class="owner"> [{printable(owner)}]</span>}
          </li>
        ))}
      </ul>
    </section>
  )
}
