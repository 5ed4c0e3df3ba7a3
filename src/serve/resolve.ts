// `/v1/resolve`: addresses and stacks to frames, in JSON or as packed numbers; `/v1/names`: what the numbers stand for.

import { setImmediate as turn } from 'node:timers/promises'
import { formatAddress, MAX_ADDRESS, parseAddress } from '../core/address.ts'
import { KerndexError } from '../core/errors.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { type BootFacts, judgeBoot } from '../stacks/boot.ts'
import { type LookupMode, rawFrame, type StackShape } from '../stacks/frame.ts'
import { type Rebase, StackResolver } from '../stacks/resolve.ts'
import { NO_SYMBOL } from '../symbols/search.ts'
import type { SymbolTable } from '../symbols/table.ts'
import type { Builds } from './builds.ts'
import { type Call, json, type Reply } from './call.ts'
import { badRequest, HttpError, notFound, tooLarge } from './http-error.ts'
import { isRecord, optionalText } from './json-input.ts'
import type { FrameCounter } from './metrics.ts'
import type { OpenTable, Tables } from './tables.ts'

/** Addresses after which other requests get their turn. */
const TURN = 1024
/** Characters that are gathered before they are sent. */
const CHUNK = 1 << 16

/** A request of JSON. */
interface Question {
  readonly mode: LookupMode
  readonly shape: StackShape
  readonly boot: BootFacts | undefined
  readonly stacks: readonly (readonly unknown[])[]
  /** Of all stacks. */
  readonly addresses: number
  /** The stacks are single addresses. */
  readonly single: boolean
}

/** The answer for an address, in words. */
interface Answer {
  readonly text: string
  /** What became of it, as it is counted; undefined: found. */
  readonly outcome: string | undefined
  /** The frame outside of it is a PC; undefined: this is no frame, and says nothing of the next. */
  readonly entry: boolean | undefined
}

/** Addresses that are remembered of each kind; all are forgotten when there are more. */
const MOST_ASKED = 1 << 16
/** Where there is no frame. */
const NOTHING = { symbol: null, offset: null, size: null, owner: null, aliases: [] }

/** Answers by the text that addresses came as, of PCs and of return addresses: most come again. */
class Remembered {
  readonly #resolver: StackResolver
  readonly #pcs = new Map<unknown, Answer>()
  readonly #returns = new Map<unknown, Answer>()

  constructor(symbols: SymbolTable, rebase: Rebase | undefined) {
    this.#resolver = new StackResolver(symbols, { rebase, trust: 'table' })
  }

  /** The answer for an address as it was sent. @throws HttpError 400 if it is none */
  answer(value: unknown, pc: boolean): Answer {
    const known = pc ? this.#pcs : this.#returns
    let answer = known.get(value)
    if (answer === undefined) {
      if (known.size >= MOST_ASKED) known.clear()
      answer = this.#lookUp(addressOf(value), pc)
      known.set(value, answer)
    }
    return answer
  }

  /** Every address has an answer, also a marker of a call chain, which is no frame. */
  #lookUp(address: bigint, pc: boolean): Answer {
    const [frame] = this.#resolver.resolve([rawFrame({ address })], pc ? 'pc-first' : 'returns')
    const { symbol, offset, size, owner, aliases } = frame ?? NOTHING
    const reason = frame === undefined ? 'marker' : (frame.reason ?? null)
    const at = formatAddress(frame?.address ?? address)
    return {
      text: JSON.stringify({ address: at, symbol, offset, size, owner, aliases, reason }),
      outcome: reason ?? (symbol === null ? 'no_symbol' : undefined),
      entry: frame?.entry,
    }
  }
}

/** Answers requests for frames, and remembers what it has looked up in each snapshot. */
export class Resolve {
  readonly #tables: Tables
  readonly #builds: Builds
  readonly #count: FrameCounter
  readonly #remembered = new WeakMap<Snapshot, Remembered>()

  constructor(tables: Tables, builds: Builds, count: FrameCounter) {
    this.#tables = tables
    this.#builds = builds
    this.#count = count
  }

  async run(call: Call): Promise<Reply> {
    const type = call.header('content-type')?.split(';')[0]?.trim()
    return type === 'application/octet-stream' ? this.#packed(call) : this.#json(call)
  }

  async #json(call: Call): Promise<Reply> {
    const body = await call.json()
    if (!isRecord(body)) throw badRequest('the body is an object with addresses or stacks')
    if (body.offsets !== undefined) return this.#offsets(call, body)
    const table = await this.#tableOf(call, body)
    const question = questionOf(body, call.limits.addresses)
    const pieces = this.#answer(table, question)
    return { type: 'application/json', body: question.addresses <= TURN ? [...pieces].join('') : inTurns(pieces) }
  }

  /** Offsets from the beginning of a build, `_text` of a kernel or `.text` of a module, as they stand: no host has to be known. */
  async #offsets(call: Call, body: Readonly<Record<string, unknown>>): Promise<Reply> {
    const { offsets } = body
    const buildId = optionalText(body, 'buildId')?.toLowerCase()
    if (buildId === undefined) throw badRequest('offsets are of a build: buildId is missing')
    if (!Array.isArray(offsets)) throw badRequest('offsets is a list')
    if (offsets.length > call.limits.addresses) throw tooLarge(`a request may have ${call.limits.addresses} offsets`)
    const lookUp = await this.#lookUpIn(buildId)
    if (lookUp === undefined)
      throw notFound(`no build ${buildId} is known here: names of another build are never given`)
    const frames = offsets.map((given: unknown) => {
      const at = typeof given === 'string' ? parseAddress(given) : undefined
      if (at === undefined)
        throw badRequest(`${JSON.stringify(given)?.slice(0, 40)} is no offset: "0x…" is needed, as a string`)
      const found = lookUp(at)
      this.#count(found === undefined ? 'no_symbol' : 'found', 1)
      return { at: `0x${at.toString(16)}`, ...(found ?? { symbol: null, reason: 'no_symbol' }) }
    })
    return json({ buildId, frames })
  }

  /** How offsets of a build are looked up: in the catalogue, or in a table of any of its boots. */
  async #lookUpIn(buildId: string) {
    const build = await this.#builds.ofBuildId(buildId)
    if (build !== undefined) {
      return (at: bigint) => {
        const found = build.at(at)
        if (found === undefined) return undefined
        const { name: symbol, offset, size, aliases } = found
        return { symbol, offset, size, owner: build.name, aliases, reason: null }
      }
    }
    const known = this.#tables
      .list()
      .find(({ identity }) => identity?.buildId === buildId || identity?.modules.has(buildId))
    if (known === undefined) return undefined
    const { snapshot, identity } = await this.#tables.use(known.key)
    const module = identity.modules.get(buildId)
    const start = identity.buildId === buildId ? identity.text : module?.text
    if (start === undefined) return undefined
    return (at: bigint) => {
      const address = start + at
      const match = address > MAX_ADDRESS ? undefined : snapshot.symbols.at(address)
      if (match === undefined || match.symbol.owner !== (module?.name ?? 'vmlinux')) return undefined
      const aliases = match.aliases.map(({ name }) => name)
      return {
        symbol: match.symbol.name,
        offset: match.offset,
        size: match.size,
        owner: match.symbol.owner,
        aliases,
        reason: null,
      }
    }
  }

  /** By key, or by build id and boot: in the body, or in the query. */
  #tableOf(call: Call, body: Readonly<Record<string, unknown>>): Promise<OpenTable> {
    const buildId = optionalText(body, 'buildId')
    const { boot } = body
    if (buildId !== undefined) return this.#tables.ofBuild(buildId, optionalText(body, 'bootId'), boot !== undefined)
    return this.#tables.use(optionalText(body, 'table') ?? call.query.get('table'))
  }

  /** The answer in pieces, each of which takes about as long as a turn may. */
  *#answer(table: OpenTable, question: Question): Generator<string> {
    const { snapshot, key } = table
    const { host, generation } = snapshot
    const remembered = this.#rememberedOf(snapshot, question)
    const { release = null, buildId = null, bootId = null } = host
    const head = JSON.stringify({ table: key, generation, release, buildId, bootId })
    let text = `${head.slice(0, -1)},"${question.single ? 'frames' : 'stacks'}":[`
    let since = 0
    let found = 0
    for (const [i, stack] of question.stacks.entries()) {
      let pc = question.shape === 'pc-first'
      const frames = stack.map((value) => {
        const answer = remembered.answer(value, pc || question.mode === 'raw')
        if (answer.outcome === undefined) found++
        else this.#count(answer.outcome, 1)
        pc = answer.entry ?? pc
        return answer.text
      })
      const answer = frames.join()
      text += `${i === 0 ? '' : ','}${question.single ? answer : `[${answer}]`}`
      since += stack.length
      if (since < TURN && text.length < CHUNK) continue
      yield text
      text = ''
      since = 0
    }
    this.#count('found', found)
    yield `${text}]}\n`
  }

  #rememberedOf(snapshot: Snapshot, { boot }: Question): Remembered {
    const { symbols } = snapshot
    if (boot !== undefined) {
      const { bootId, release } = snapshot.host
      // Where addresses of another boot lead is known for this request only.
      const rebase = judged(() => judgeBoot(boot, { bootId, release }, symbols))
      return new Remembered(symbols, rebase)
    }
    let remembered = this.#remembered.get(snapshot)
    if (remembered === undefined) {
      remembered = new Remembered(symbols, undefined)
      this.#remembered.set(snapshot, remembered)
    }
    return remembered
  }

  /** u64 addresses in; ids (u32), then offsets (u32) out, all little endian. With a depth, rows of stacks. */
  async #packed(call: Call): Promise<Reply> {
    const { snapshot, kernel, key } = await this.#tables.use(call.header('x-kerndex-table') ?? call.query.get('table'))
    const body = await call.body(call.limits.body)
    if (body.length % 8 !== 0) throw badRequest(`the body is addresses of 8 bytes each: ${body.length} bytes are none`)
    const count = body.length / 8
    const addresses = new BigUint64Array(new SharedArrayBuffer(body.length))
    Buffer.from(addresses.buffer).set(body)
    const answer = new Uint32Array(2 * count)
    const into = { ids: answer.subarray(0, count), offsets: answer.subarray(count) }
    const depth = call.header('x-kerndex-depth')
    if (depth === undefined) {
      const { ids, offsets } = await kernel.findMany(addresses, { signal: call.signal })
      into.ids.set(ids)
      into.offsets.set(offsets)
    } else {
      if (!/^\d{1,6}$/.test(depth) || depth === '0' || count % Number(depth) !== 0)
        throw badRequest('X-Kerndex-Depth is the number of addresses in each row, and rows are whole')
      snapshot.stacks.resolve(addresses, { depth: Number(depth) }, into)
    }
    let missed = 0
    for (const id of into.ids) if (id === NO_SYMBOL) missed++
    this.#count('found', count - missed)
    this.#count('no_symbol', missed)
    return {
      type: 'application/octet-stream',
      headers: { 'X-Kerndex-Table': key, 'X-Kerndex-Generation': String(snapshot.generation) },
      body: Buffer.from(answer.buffer),
    }
  }

  /** The symbols that numbers of a packed answer stand for: u32 ids in, JSON out, null where there is no such symbol. */
  async names(call: Call): Promise<Reply> {
    const { snapshot, key } = await this.#tables.use(call.header('x-kerndex-table') ?? call.query.get('table'))
    const asked = call.header('x-kerndex-generation')
    if (asked !== undefined && asked !== String(snapshot.generation)) {
      throw new HttpError(
        409,
        `these numbers are of generation ${asked}; it is ${snapshot.generation} now: look up again`,
      )
    }
    const body = await call.body(4 * call.limits.addresses)
    if (body.length % 4 !== 0) throw badRequest('the body is ids of 4 bytes each')
    const { symbols, generation } = snapshot
    const rows: unknown[] = []
    for (let at = 0; at < body.length; at += 4) {
      const id = body.readUInt32LE(at)
      rows.push(id < symbols.size ? symbols.get(id) : null)
    }
    return json({ table: key, generation, symbols: rows })
  }
}

/** Gives others their turn between two pieces. */
async function* inTurns(pieces: Iterable<string>): AsyncGenerator<string> {
  for (const piece of pieces) {
    yield piece
    await turn()
  }
}

/** An address as it was sent: `"0x…"`. What is none is refused: a number would have lost its last digits. */
function addressOf(value: unknown): bigint {
  const address = typeof value === 'string' ? parseAddress(value) : undefined
  if (address === undefined)
    throw badRequest(`${JSON.stringify(value)?.slice(0, 40)} is no address: "0x…" is needed, as a string`)
  return address
}

function questionOf(body: Readonly<Record<string, unknown>>, most: number): Question {
  const { mode = 'return', shape = 'pc-first', addresses, stacks, boot } = body
  if (mode !== 'return' && mode !== 'raw') throw badRequest("mode is 'return' or 'raw'")
  if (shape !== 'pc-first' && shape !== 'returns') throw badRequest("shape is 'pc-first' or 'returns'")
  if ((addresses === undefined) === (stacks === undefined)) throw badRequest('either addresses or stacks are needed')
  const single = addresses !== undefined
  const given = single ? addresses : stacks
  if (!Array.isArray(given)) throw badRequest(`${single ? 'addresses' : 'stacks'} is a list`)
  const list: readonly unknown[] = given
  let count = 0
  const rows = list.map((one): readonly unknown[] => {
    // A single address is no return address of anything.
    if (single) return [one]
    if (!Array.isArray(one)) throw badRequest('a stack is a list of addresses')
    count += one.length
    return one
  })
  if (Math.max(count, rows.length) > most)
    throw tooLarge(`a request may have ${most} addresses: packed ones may be more`)
  return {
    mode: single ? 'raw' : mode,
    shape,
    boot: boot === undefined ? undefined : bootOf(boot),
    stacks: rows,
    addresses: single ? rows.length : count,
    single,
  }
}

function bootOf(given: unknown): BootFacts {
  if (!isRecord(given)) throw badRequest('boot is an object with bootId, release or stext')
  const stext = optionalText(given, 'stext')
  const address = stext === undefined ? undefined : parseAddress(stext)
  if (stext !== undefined && address === undefined) throw badRequest('boot.stext is an address')
  return { bootId: optionalText(given, 'bootId'), release: optionalText(given, 'release'), stext: address }
}

/** What says that addresses mean nothing here is the caller's to know. */
function judged<T>(judge: () => T): T {
  try {
    return judge()
  } catch (error) {
    if (error instanceof KerndexError && error.code === 'USAGE') throw new HttpError(409, error.message)
    throw error
  }
}
