// Mozilla's symbolication, version 5: modules are known by name and debug id, frames by module and offset. What profiler pages
// and crash tools send; see docs/serve.md.

import { setImmediate as turn } from 'node:timers/promises'
import type { BuildSymbols } from '../catalog/build-symbols.ts'
import { MAX_ADDRESS } from '../core/address.ts'
import type { Builds } from './builds.ts'
import { type Call, json, type Reply } from './call.ts'
import { debugIdOf } from './debug-id.ts'
import { badRequest, tooLarge } from './http-error.ts'
import { isRecord } from './json-input.ts'
import type { FrameCounter } from './metrics.ts'
import type { OpenTable, Tables } from './tables.ts'

/** Addresses after which other requests get their turn. */
const TURN = 2048
const UNKNOWN_MODULE = '<unknown>'

/** Where a module of a job lies in a table of this server, or the build itself, which lies nowhere. */
type Place = Placed | BuildSymbols

interface Placed {
  readonly table: OpenTable
  /** The place from which offsets count: `_text`, or a module's `.text`. */
  readonly start: bigint
  /** Whose symbols may answer: those of another owner are another build's, for all that is known. */
  readonly owner: string
}

interface Job {
  readonly modules: readonly { readonly name: string; readonly id: string }[]
  readonly stacks: readonly (readonly (readonly [module: number, offset: number])[])[]
}

interface Row {
  frame: number
  module: string
  module_offset: string
  function?: string
  function_offset?: string
}

/** Answers jobs. */
export class Symbolicate {
  readonly #tables: Tables
  readonly #builds: Builds
  readonly #count: FrameCounter

  constructor(tables: Tables, builds: Builds, count: FrameCounter) {
    this.#tables = tables
    this.#builds = builds
    this.#count = count
  }

  /** The body may come as text/plain, as a browser sends it without asking first. */
  async run(call: Call): Promise<Reply> {
    const body = await call.json()
    if (!isRecord(body)) throw badRequest('the body is an object: {"jobs": […]}, or one job')
    const { jobs: given = [body] } = body
    if (!Array.isArray(given)) throw badRequest('jobs is a list')
    const jobs = given.map((job: unknown) => jobOf(job))
    const frames = jobs.reduce((sum, { stacks }) => sum + stacks.reduce((all, stack) => all + stack.length, 0), 0)
    if (frames > call.limits.addresses) throw tooLarge(`a request may have ${call.limits.addresses} frames`)
    const results: unknown[] = []
    for (const job of jobs) results.push(await this.#result(job))
    return json({ results })
  }

  async #result({ modules, stacks }: Job) {
    const referred = new Set(stacks.flat().map(([module]) => module))
    const places = await Promise.all(modules.map(({ id }, i) => (referred.has(i) ? this.#placeOf(id) : undefined)))
    const rows: Row[][] = []
    let since = 0
    for (const stack of stacks) {
      rows.push(stack.map(([module, offset], frame) => this.#row(frame, modules[module]?.name, places[module], offset)))
      since += stack.length
      if (since < TURN) continue
      since = 0
      await turn()
    }
    // Names may be `__proto__`.
    const found_modules: Record<string, boolean | null> = Object.create(null)
    for (const [i, { name, id }] of modules.entries()) {
      found_modules[`${name}/${id}`] = referred.has(i) ? places[i] !== undefined : null
    }
    return { stacks: rows, found_modules }
  }

  /** The writer of the profile made offsets of return addresses smaller by one: they are looked up as they stand. */
  #row(frame: number, name: string | undefined, place: Place | undefined, offset: number): Row {
    const row: Row = { frame, module: name ?? UNKNOWN_MODULE, module_offset: `0x${offset.toString(16)}` }
    if (place === undefined) {
      this.#count('unknown_module', 1)
      return row
    }
    const found = 'table' in place ? inTable(place, offset) : place.at(offset)
    this.#count(found === undefined ? 'no_symbol' : 'found', 1)
    if (found === undefined) return row
    return { ...row, function: found.name, function_offset: `0x${found.offset.toString(16)}` }
  }

  /** The build that a debug id is of, in whichever table has it, or in the catalogue. */
  async #placeOf(debugId: string): Promise<Place | undefined> {
    const wanted = debugId.toUpperCase()
    for (const { key, identity } of this.#tables.list()) {
      if (identity === undefined) continue
      if (identity.buildId !== undefined && identity.text !== undefined && debugIdOf(identity.buildId) === wanted) {
        const table = await this.#tables.use(key)
        const start = table.identity.text
        if (start !== undefined) return { table, start, owner: 'vmlinux' }
      }
      for (const buildId of identity.modules.keys()) {
        if (debugIdOf(buildId) !== wanted) continue
        const table = await this.#tables.use(key)
        const module = table.identity.modules.get(buildId)
        if (module !== undefined) return { table, start: module.text, owner: module.name }
      }
    }
    return this.#builds.ofDebugId(wanted)
  }
}

/** The symbol at an offset of a table's kernel or module. */
function inTable({ table, start, owner }: Placed, offset: number): { name: string; offset: number } | undefined {
  const address = start + BigInt(offset)
  const match = address > MAX_ADDRESS ? undefined : table.snapshot.symbols.at(address)
  return match === undefined || match.symbol.owner !== owner
    ? undefined
    : { name: match.symbol.name, offset: match.offset }
}

function jobOf(given: unknown): Job {
  if (!isRecord(given)) throw badRequest('a job is an object with memoryMap and stacks')
  const { memoryMap, stacks } = given
  if (!Array.isArray(memoryMap)) throw badRequest('memoryMap is a list of [name, debug id]')
  if (!Array.isArray(stacks)) throw badRequest('stacks is a list of lists of [module, offset]')
  return {
    modules: memoryMap.map((one: unknown) => {
      const [name, id]: unknown[] = Array.isArray(one) ? one : []
      if (typeof name !== 'string' || typeof id !== 'string')
        throw badRequest('memoryMap is a list of [name, debug id]')
      return { name, id }
    }),
    stacks: stacks.map((stack: unknown) => {
      if (!Array.isArray(stack)) throw badRequest('a stack is a list of [module, offset]')
      return stack.map((frame: unknown): [number, number] => {
        const [module, offset]: unknown[] = Array.isArray(frame) ? frame : []
        // Offsets stay far below 2^53.
        if (!isWhole(module, -1, memoryMap.length - 1) || !isWhole(offset, 0, Number.MAX_SAFE_INTEGER)) {
          throw badRequest('a frame is [module, offset]: a place in memoryMap or -1, and a whole number')
        }
        return [module, offset]
      })
    }),
  }
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
}
