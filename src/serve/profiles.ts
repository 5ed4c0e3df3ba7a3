// What was put: texts and profiles under names, kept in memory so that pages and `go tool pprof` can fetch what is made of them.

import { parseAddress } from '../core/address.ts'
import { printable } from '../core/printable.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { type Call, json, plain, type Reply } from './call.ts'
import { badRequest, notFound, tooLarge } from './http-error.ts'
import type { FrameCounter } from './metrics.ts'
import { forRemoteSymbols } from './pprof-profile.ts'
import type { StreamSummary, Streams } from './streams.ts'
import type { Tables } from './tables.ts'

/** Something that was put. */
interface Kept {
  readonly name: string
  readonly table: string
  readonly bytes: Buffer
  readonly put: Date
  readonly summary: StreamSummary
}

const NAME = /^[A-Za-z0-9._-]{1,100}$/

/** Keeps what is put, and answers from it. */
export class PutProfiles {
  readonly #tables: Tables
  readonly #streams: Streams
  readonly #count: FrameCounter
  readonly #kept = new Map<string, Kept>()

  constructor(tables: Tables, streams: Streams, count: FrameCounter) {
    this.#tables = tables
    this.#streams = streams
    this.#count = count
  }

  /** Keeps a body under a name; what was put longest ago goes where there are too many, or too much. */
  async put(call: Call): Promise<Reply> {
    const { name = '' } = call.params
    if (!NAME.test(name)) throw badRequest('a name is up to 100 letters, digits, dots, - and _')
    const { key, snapshot } = await this.#tables.use(call.query.get('table'))
    const bytes = await call.body(Math.min(call.limits.stream, call.limits.profileBytes))
    if (bytes.length === 0) throw badRequest('the body is empty')
    const summary = await this.#streams.summary(call, snapshot, piecesOf(bytes), bytes.length)
    this.#kept.delete(name)
    this.#kept.set(name, { name, table: key, bytes, put: new Date(), summary })
    const { profiles, profileBytes } = call.limits
    let sum = [...this.#kept.values()].reduce((all, one) => all + one.bytes.length, 0)
    for (const [oldest, { bytes: dropped }] of this.#kept) {
      if (this.#kept.size <= profiles && sum <= profileBytes) break
      if (oldest === name) throw tooLarge(`profiles may have ${profileBytes} bytes together`)
      this.#kept.delete(oldest)
      sum -= dropped.length
    }
    return json(described(this.#kept.get(name)!), 201)
  }

  list(): Reply {
    return json({ profiles: [...this.#kept.values()].map(described) })
  }

  about(call: Call): Reply {
    return json(described(this.#named(call)))
  }

  drop(call: Call): Reply {
    this.#kept.delete(this.#named(call).name)
    return { status: 204, body: '' }
  }

  /** It as it was put. */
  original(call: Call): Reply {
    const { bytes } = this.#named(call)
    return { type: 'application/octet-stream', body: bytes }
  }

  /** It in the output that the query names. */
  async output(call: Call): Promise<Reply> {
    const { bytes, table, name } = this.#named(call)
    const { snapshot } = await this.#tables.use(table)
    return this.#streams.reply(call, snapshot, piecesOf(bytes), bytes.length, name)
  }

  /** It as a profile that pprof fetches: one of pprof's with its addresses left to be asked for, another in words. */
  async pprof(call: Call): Promise<Reply> {
    const { bytes, table, summary } = this.#named(call)
    const { snapshot } = await this.#tables.use(table)
    const type = 'application/octet-stream'
    if (summary.format === 'pprof') return { type, body: forRemoteSymbols(bytes, snapshot) }
    call.query.set('output', 'pprof')
    return this.output(call)
  }

  /** pprof's question whether symbols can be asked for. */
  hasSymbols(): Reply {
    return plain('num_symbols: 1\n')
  }

  /** pprof's addresses to names, over the table of a profile, or the one of the query. Return addresses are adjusted already. */
  async symbols(call: Call): Promise<Reply> {
    const { name } = call.params
    const { snapshot } = await this.#tables.use(name === undefined ? call.query.get('table') : this.#named(call).table)
    return this.#symbols(call, snapshot)
  }

  async #symbols(call: Call, { symbols }: Snapshot): Promise<Reply> {
    const words = (await call.body(call.limits.body)).toString('latin1').trim().split('+')
    if (words.length > call.limits.addresses) throw tooLarge(`a request may have ${call.limits.addresses} addresses`)
    let lines = ''
    for (const word of words) {
      const address = parseAddress(word.trim())
      const match = address === undefined ? undefined : symbols.at(address)
      this.#count(match === undefined ? 'no_symbol' : 'found', 1)
      if (match !== undefined) lines += `${word.trim()} ${printable(match.symbol.name)}\n`
    }
    return plain(`num_symbols: 1\n${lines}`)
  }

  #named({ params }: Call): Kept {
    const kept = this.#kept.get(params.name ?? '')
    if (kept === undefined)
      throw notFound(`nothing was put under ${JSON.stringify(params.name)}, or it has gone for others since`)
    return kept
  }
}

function described({ name, table, bytes, put, summary }: Kept) {
  return {
    name,
    table,
    bytes: bytes.length,
    put: put.toISOString(),
    ...summary,
    profile: `p/${name}/debug/pprof/profile`,
  }
}

/** Bytes a piece, so that a long body is worked on piece by piece. */
const PIECE = 1 << 18

async function* piecesOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE)
}
