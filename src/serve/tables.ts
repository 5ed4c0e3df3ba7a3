// The tables that one server answers from: which there are, which are open, which is meant, and what becomes of the running kernel's.

import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KerndexError, UsageError } from '../core/errors.ts'
import type { Kernel } from '../kernel.ts'
import type { Reader } from '../reader.ts'
import { parseBuildIds } from '../sources/facts.ts'
import { parseModuleSections } from '../sources/module-sections.ts'
import { isAbsence } from '../sources/source.ts'
import { HttpError, notFound, unavailable } from './http-error.ts'

/** A place that a table comes from, under the key that requests use. */
export interface TableSource {
  readonly key: string
  /** undefined: the running kernel. */
  readonly from: string | undefined
}

/** The facts of a table from when it was last open. */
export interface Identity {
  readonly source: string
  readonly release: string | undefined
  readonly buildId: string | undefined
  readonly bootId: string | undefined
  readonly generation: number
  readonly symbols: number
  /** The largest module that has symbols. */
  readonly module: string | undefined
  /** Builds of modules by their ids, with where their `.text` begins. */
  readonly modules: ReadonlyMap<string, { readonly name: string; readonly text: bigint }>
  /** Where the core kernel's image begins: `_text`, or `_stext` where there is none. */
  readonly text: bigint | undefined
}

/** A table that is open. */
export interface OpenTable {
  readonly key: string
  readonly live: boolean
  readonly kernel: Kernel
  /** The newest snapshot. */
  readonly snapshot: Reader
  readonly identity: Identity
}

/** A table as it is listed. */
export interface TableState {
  readonly key: string
  readonly live: boolean
  readonly open: boolean
  readonly identity: Identity | undefined
  /** Why it could not be opened the last time. */
  readonly failure: string | undefined
}

/** The news of a new generation. */
export interface GenerationNews {
  readonly key: string
  readonly generation: number
  readonly symbols: number
  /** Owners of symbols that came and went: modules, mostly. */
  readonly fresh: readonly string[]
  readonly gone: readonly string[]
}

export interface TablesOptions {
  readonly sources: readonly TableSource[]
  readonly open: (from: string | undefined) => Promise<Kernel>
  /** Tables open at once. */
  readonly most: number
  /** Milliseconds between two looks at the running kernel; 0: none. */
  readonly watchMs: number
  readonly onOpened?: (key: string, ms: number) => void
  readonly onNews?: (news: GenerationNews) => void
}

interface Row {
  readonly key: string
  readonly from: string | undefined
  opening: Promise<Kernel> | undefined
  kernel: Kernel | undefined
  watch: AbortController | undefined
  used: number
  identity: { readonly generation: number; readonly value: Identity } | undefined
  failure: string | undefined
}

/** All tables of a server. */
export class Tables {
  readonly #rows: readonly Row[]
  readonly #options: TablesOptions
  #uses = 0
  #closed = false

  constructor(options: TablesOptions) {
    this.#options = options
    this.#rows = options.sources.map(({ key, from }) => ({
      ...{ key, from, opening: undefined, kernel: undefined, watch: undefined, used: 0 },
      ...{ identity: undefined, failure: undefined },
    }))
  }

  /** The tables in the order in which they were given; the first is meant where none is named. */
  list(): TableState[] {
    return this.#rows.map((row) => ({
      key: row.key,
      live: row.from === undefined,
      open: row.kernel !== undefined,
      identity: row.kernel === undefined ? row.identity?.value : identityOf(row, row.kernel),
      failure: row.failure,
    }))
  }

  /** Bytes of the tables that are open. */
  get bytes(): number {
    return this.#rows.reduce((sum, { kernel }) => sum + (kernel?.symbols.byteLength ?? 0), 0)
  }

  /** The table of a key, opened if it is not; the first without one. @throws HttpError 404, 503 */
  async use(key?: string | null): Promise<OpenTable> {
    const row =
      key === undefined || key === null || key === '' ? this.#rows[0] : this.#rows.find((one) => one.key === key)
    if (row === undefined)
      throw notFound(`there is no table ${JSON.stringify(key)}: /v1/tables lists those that there are`)
    row.used = ++this.#uses
    const kernel = row.kernel ?? (await this.#open(row))
    return {
      ...{ key: row.key, live: row.from === undefined, kernel, snapshot: kernel.snapshot() },
      get identity() {
        return identityOf(row, kernel)
      },
    }
  }

  /**
   * The table of a kernel's build, of one boot if that is said; `anyBoot`: of any, because the caller says where the kernel lay.
   * @throws HttpError 404, 409 where boots of it differ and none is named, 503
   */
  async ofBuild(buildId: string, bootId: string | undefined, anyBoot: boolean): Promise<OpenTable> {
    const wanted = buildId.toLowerCase()
    const found = this.list().filter(
      ({ identity }) => identity?.buildId === wanted && (bootId === undefined || identity.bootId === bootId),
    )
    const [first] = found
    if (first === undefined) {
      const boot = bootId === undefined ? '' : ` and boot ${bootId}`
      throw notFound(`no table is of build ${wanted}${boot}: names of another build are never given`)
    }
    // An address is another function's in another boot.
    const boots = new Set(found.map(({ identity }) => `${identity?.bootId} ${identity?.text}`))
    if (boots.size > 1 && !anyBoot) {
      const keys = found.map(({ key }) => key).join(', ')
      throw new HttpError(409, `several boots of build ${wanted} are here (${keys}): say which, by bootId or table`)
    }
    return this.use(first.key)
  }

  /** Opens every table once, in order, so that it is known what each is of. */
  async openAll(): Promise<void> {
    for (const { key } of this.#rows) {
      if (this.#closed) return
      await this.use(key).catch(() => {})
    }
  }

  /** Ends everything that goes on. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#rows.map((row) => this.#close(row)))
  }

  async #open(row: Row): Promise<Kernel> {
    row.opening ??= this.#opened(row).finally(() => {
      row.opening = undefined
    })
    try {
      return await row.opening
    } catch (error) {
      if (error instanceof HttpError) throw error
      const why = error instanceof Error ? error.message : String(error)
      row.failure = why
      throw unavailable(`the table ${row.key} cannot be opened: ${why}`)
    }
  }

  async #opened(row: Row): Promise<Kernel> {
    if (this.#closed) throw unavailable('the server is ending')
    const begun = performance.now()
    const kernel = await this.#options.open(row.from)
    if (this.#closed) {
      await kernel.close()
      throw unavailable('the server is ending')
    }
    row.kernel = kernel
    row.failure = undefined
    this.#options.onOpened?.(row.key, performance.now() - begun)
    identityOf(row, kernel)
    if (row.from === undefined && this.#options.watchMs > 0) void this.#follow(row, kernel)
    await this.#makeRoom(row)
    return kernel
  }

  /** Closes the kernel that was used longest ago. A request that answers from it holds its snapshot, which stays whole. */
  async #makeRoom(newest: Row): Promise<void> {
    const open = this.#rows.filter((row) => row.kernel !== undefined && row !== newest).sort((a, b) => a.used - b.used)
    for (const row of open.slice(0, Math.max(0, open.length + 1 - this.#options.most))) await this.#close(row)
  }

  async #close(row: Row): Promise<void> {
    const { kernel } = row
    if (kernel === undefined) return
    identityOf(row, kernel)
    row.watch?.abort()
    row.kernel = undefined
    await kernel.close()
  }

  /** Looks for news of the running kernel until the table is closed. A look that fails is said once, and made again. */
  async #follow(row: Row, kernel: Kernel): Promise<void> {
    const control = new AbortController()
    const { signal } = control
    row.watch = control
    while (!signal.aborted) {
      try {
        for await (const change of kernel.watch({ intervalMs: this.#options.watchMs, signal })) {
          row.failure = undefined
          const before = change.before.symbols.owners
          const after = change.after.symbols.owners
          this.#options.onNews?.({
            key: row.key,
            generation: change.generation,
            symbols: change.after.symbols.size,
            fresh: missingFrom(after, before),
            gone: missingFrom(before, after),
          })
        }
      } catch (error) {
        if (signal.aborted || !(error instanceof KerndexError)) return
        row.failure = error.message
        await sleep(this.#options.watchMs, undefined, { signal }).catch(() => {})
      }
    }
  }
}

function missingFrom(these: readonly string[], others: readonly string[]): string[] {
  const known = new Set(others)
  return these.filter((name) => !known.has(name))
}

/** The kernel that a table is of; found out once a generation, as the files of modules are many. */
function identityOf(row: Row, kernel: Kernel): Identity {
  const snapshot = kernel.snapshot()
  const { generation } = snapshot
  if (row.identity?.generation !== generation || row.identity.value.symbols !== snapshot.symbols.size) {
    row.identity = { generation, value: identify(snapshot) }
  }
  return row.identity.value
}

function identify(snapshot: Reader): Identity {
  const { host, symbols, generation } = snapshot
  const core = (name: string) => symbols.named(name, { owner: 'vmlinux' })[0]?.address
  const modules = new Map<string, { name: string; text: bigint }>()
  const ids = snapshot.fact('module_identities')
  const sections = snapshot.fact('module_sections')
  if (!isAbsence(ids) && !isAbsence(sections)) {
    const places = parseModuleSections(Buffer.from(sections))
    for (const [name, buildId] of parseBuildIds(Buffer.from(ids))) {
      const place = places.get(name)
      const number = place?.names.indexOf('.text') ?? -1
      const at = number < 0 ? -1 : (place?.name.indexOf(number) ?? -1)
      if (place === undefined || at < 0) continue
      modules.set(buildId, { name, text: (BigInt(place.high[at]!) << 32n) | BigInt(place.low[at]!) })
    }
  }
  const owners = new Set(symbols.owners)
  const largest = host.modules?.filter(({ name }) => owners.has(name)).sort((a, b) => b.size - a.size)[0]
  return {
    module: largest?.name,
    ...{ source: host.source, release: host.release, buildId: host.buildId?.toLowerCase(), bootId: host.bootId },
    ...{ generation, symbols: symbols.size, modules, text: core('_text') ?? core('_stext') },
  }
}

const KEY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/**
 * The tables of what `--from` was given: `KEY=SOURCE`, or a source that is called by its own name; `live` is the running kernel.
 * @throws UsageError if two have one key
 */
export function tableSources(given: readonly string[]): TableSource[] {
  if (given.length === 0) return [{ key: 'live', from: undefined }]
  const sources: TableSource[] = []
  for (const text of given) {
    const equals = text.indexOf('=')
    const named = equals > 0 && KEY.test(text.slice(0, equals))
    const place = named ? text.slice(equals + 1) : text
    const from = place === 'live' ? undefined : place
    let key = named ? text.slice(0, equals) : from === undefined ? 'live' : keyOf(from)
    if (sources.some((one) => one.key === key)) {
      if (named) throw new UsageError(`two tables are called ${key}: give one of them another key`)
      let next = 2
      while (sources.some((one) => one.key === `${key}-${next}`)) next++
      key = `${key}-${next}`
    }
    sources.push({ key, from })
  }
  return sources
}

/** A key from a path: its last part, without what says how it is packed. */
function keyOf(path: string): string {
  const name = basename(path).replace(/\.(?:tar\.gz|tgz|tar|gz|kerndex|kallsyms)$/, '')
  const key = name.replace(/[^A-Za-z0-9._-]/g, '-').replace(/^[^A-Za-z0-9]/, 'x')
  return KEY.test(key) ? key : 'table'
}
