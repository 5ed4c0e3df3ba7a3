// The routes that the page asks, and what is kept of a snapshot to answer them at once.

import { parseAddress } from '../core/address.ts'
import { INPUT_FORMATS } from '../events/formats.ts'
import { Pacer } from '../load/pacer.ts'
import type { Reader } from '../reader.ts'
import type { TablesAnswer } from './answers.ts'
import { type Call, json, type Reply } from './call.ts'
import { describeSymbol } from './function-view.ts'
import { badRequest } from './http-error.ts'
import { AddressSpace } from './map-view.ts'
import type { Route } from './router.ts'
import { Search } from './search.ts'
import { statusAnswer, tableAnswer } from './status-view.ts'
import { TEXT_OUTPUTS } from './streams.ts'
import type { OpenTable, Tables } from './tables.ts'
import { describeType, diffAnswer, type TypeQuestion } from './type-view.ts'
import { usersAnswer } from './users-view.ts'

const MOST_HITS = 200
const WIDEST = 4000

/** Answers the page. */
export class Views {
  readonly #tables: Tables
  readonly #searches = new WeakMap<Reader, Promise<Search>>()
  readonly #spaces = new WeakMap<Reader, AddressSpace>()

  constructor(tables: Tables) {
    this.#tables = tables
  }

  routes(): Route[] {
    const view = (name: string, run: (call: Call, table: OpenTable) => unknown): Route => ({
      method: 'GET',
      path: `/v1/k/:table/${name}`,
      run: async (call) => json(await run(call, await this.#tables.use(call.params.table))),
    })
    return [
      view('search', async (call, table) => {
        await typesOf(table)
        const search = await this.#search(table.snapshot)
        return search.run(call.query.get('q') ?? '', call.number('limit', 1, MOST_HITS, 40))
      }),
      view('type', async (call, table) => describeType(await typesOf(table), typeQuestion(call))),
      view('diff', async (call, table) => {
        const other = await this.#tables.use(call.required('with'))
        const types = await typesOf(table)
        const { type } = describeType(types, typeQuestion(call))
        return diffAnswer(types, await typesOf(other), other.key, type)
      }),
      view('users', async (call, table) => {
        const module = call.required('module')
        return usersAnswer(await typesOf(table), module, call.number('id', 1, 2 ** 31, 1))
      }),
      view('symbol', async (call, table) => {
        await typesOf(table)
        return describeSymbol(table.snapshot, {
          address: address(call, 'address'),
          name: call.query.get('name') ?? undefined,
          owner: call.query.get('owner') ?? undefined,
        })
      }),
      view('map', (call, { snapshot }) =>
        this.#space(snapshot).map(address(call, 'start'), address(call, 'end'), call.number('width', 10, WIDEST, 1000)),
      ),
      view('sizes', (_, { snapshot }) => this.#space(snapshot).sizes()),
      view('status', async (_, table) => {
        await typesOf(table)
        return statusAnswer(table, this.#tables.list().find(({ key }) => key === table.key)!)
      }),
    ]
  }

  /** Of a table that has changed, a search may be next: what it needs is made meanwhile. */
  tables(): Reply {
    void this.prepare()
    return json(this.tablesAnswer())
  }

  /** The tables that there are, and what texts are read from and put into. */
  tablesAnswer(): TablesAnswer {
    const formats = (list: readonly { name: string; what: string }[]) => list.map(({ name, what }) => ({ name, what }))
    return {
      tables: this.#tables.list().map(tableAnswer),
      outputs: formats(TEXT_OUTPUTS),
      inputs: formats(INPUT_FORMATS),
    }
  }

  /** Makes what the first questions about the first table need, a few milliseconds at a time, so that no caller waits for it. */
  async prepare(): Promise<void> {
    try {
      const table = await this.#tables.use()
      await typesOf(table)
      await this.#search(table.snapshot)
      await new Pacer().drive(table.snapshot.probes.preparation())
    } catch {
      // The question that follows meets the same error and answers with it.
    }
  }

  #search(snapshot: Reader): Promise<Search> {
    let search = this.#searches.get(snapshot)
    if (search === undefined) {
      search = new Pacer().drive(Search.over(snapshot.symbols, snapshot.types))
      this.#searches.set(snapshot, search)
    }
    return search
  }

  #space(snapshot: Reader): AddressSpace {
    let space = this.#spaces.get(snapshot)
    if (space === undefined) {
      space = new AddressSpace(snapshot.symbols)
      this.#spaces.set(snapshot, space)
    }
    return space
  }
}

/** The types, once they are there: a lookup before that would load them on this thread, and hold up other requests. */
async function typesOf({ kernel, snapshot }: OpenTable) {
  await kernel.ready('types').catch(() => {})
  return snapshot.types
}

function typeQuestion(call: Call): TypeQuestion {
  const { query } = call
  const id = query.has('id') ? call.number('id', 1, 2 ** 31, 1) : undefined
  if (id === undefined && (query.get('name') ?? '') === '') throw badRequest('name is missing, or id and module')
  const text = (name: string) => query.get(name) ?? undefined
  return { name: text('name'), module: text('module'), kind: text('kind'), id }
}

function address(call: Call, name: string): bigint | undefined {
  const text = call.query.get(name)
  if (text === null) return undefined
  const value = parseAddress(text)
  if (value === undefined) throw badRequest(`${name} is an address`)
  return value
}
