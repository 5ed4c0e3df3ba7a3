// One box for everything: what a text may mean in a table, the likeliest first.

import { type Layout, layoutOf } from '../btf/ask/layout.ts'
import { sizeOf } from '../btf/read/sizes.ts'
import { decodeType, skipModifiers } from '../btf/read/type.ts'
import type { TypeSet } from '../btf/read/type-set.ts'
import type { Types } from '../btf/types.ts'
import { formatAddress, parseAddress } from '../core/address.ts'
import { KerndexError } from '../core/errors.ts'
import { compileGlob, isGlob } from '../core/glob.ts'
import { NameText } from '../symbols/find-text.ts'
import type { KernelSymbol } from '../symbols/symbol.ts'
import { type SymbolTable, splitQuery } from '../symbols/table.ts'
import type { SearchAnswer, SearchHit, TypeRef } from './answers.ts'
import { type NamedType, TypeNames } from './type-names.ts'

/** The longest text that is looked for: no name is longer. */
const LONGEST = 512
const KEYWORD = /^(struct|union|enum|typedef)\s+(\S.*)$/

/** Searches one snapshot. */
export class Search {
  readonly #symbols: SymbolTable
  readonly #types: Types
  readonly #typeNames: TypeNames
  readonly #names: NameText

  private constructor(symbols: SymbolTable, types: Types, typeNames: TypeNames, names: NameText) {
    this.#symbols = symbols
    this.#types = types
    this.#typeNames = typeNames
    this.#names = names
  }

  /** Makes the indexes that searching needs, in steps. */
  static *over(symbols: SymbolTable, types: Types): Generator<void, Search, void> {
    return new Search(symbols, types, yield* TypeNames.of(types), yield* NameText.of(symbols))
  }

  run(given: string, most: number): SearchAnswer {
    const begun = performance.now()
    const query = given.trim().slice(0, LONGEST)
    const { hits, more } = query === '' ? { hits: [], more: false } : this.#hits(query, most)
    return { query: given, hits: hits.slice(0, most), more: more || hits.length > most, ms: performance.now() - begun }
  }

  #hits(query: string, most: number): { hits: SearchHit[]; more: boolean } {
    const [, keyword, named] = KEYWORD.exec(query) ?? []
    if (named !== undefined) {
      if (/[.[]|->/.test(named)) return { hits: this.#members(query, most), more: false }
      const kind = keyword?.toUpperCase()
      const found = this.#typeNames.find(named, most + 1, (ref) => ref.kind.replace('64', '') === kind)
      return { hits: found.map((one) => this.#typeHit(one)), more: found.length > most }
    }
    const [, member] = /^\.([A-Za-z_]\w*)$/.exec(query) ?? []
    if (member !== undefined) return this.#withMember(member, most)
    const isPath = /^[A-Za-z_]\w*(?:\.|->|\[)/.test(query)
    if (isPath) {
      const members = this.#members(query, most)
      if (members.length > 0) return { hits: members, more: members.length > most }
    }
    const address = this.#address(query)
    const { owner, name } = splitQuery(query)
    // All of a module's, where nothing stands behind its name.
    if (isGlob(query) || (owner !== undefined && name === ''))
      return this.#globs(name === '' ? `${query}*` : query, most)
    const symbols = this.#named(name, owner, most)
    const types = owner === undefined ? this.#typeNames.find(query, most) : []
    return {
      hits: [
        ...address,
        ...merge(
          types.map((one) => this.#typeHit(one)),
          symbols.hits,
          name,
        ),
      ],
      more: symbols.more,
    }
  }

  /** The symbol at an address, where the text is one that is never a name. */
  #address(query: string): SearchHit[] {
    if (!/^0x/i.test(query) && !/^[0-9a-f]{8,16}$/i.test(query)) return []
    const address = parseAddress(query)
    if (address === undefined) return []
    const match = this.#symbols.at(address)
    const shown = formatAddress(address)
    if (match === undefined) {
      const owner = this.#symbols.ownerAt(address)
      return [{ kind: 'address', name: shown, owner, detail: this.#symbols.reasonFor(address), address: shown }]
    }
    const { symbol, offset, size } = match
    const words = `${symbol.name}+0x${offset.toString(16)}/0x${size.toString(16)}`
    return [{ kind: 'address', name: shown, owner: symbol.owner, detail: words, address: shown }]
  }

  #named(text: string, owner: string | undefined, most: number): { hits: SearchHit[]; more: boolean } {
    const { ids, more } = this.#names.find(text, owner === undefined ? most : 20 * most)
    const symbols = ids.map((id) => this.#symbols.get(id))
    const own = owner === undefined ? symbols : symbols.filter((symbol) => symbol.owner === owner)
    return { hits: own.map((symbol) => this.#symbolHit(symbol)), more }
  }

  #globs(query: string, most: number): { hits: SearchHit[]; more: boolean } {
    const { owner, name } = splitQuery(query)
    const hits: SearchHit[] = []
    const fits = compileGlob(name)
    if (owner === undefined) {
      for (const named of this.#typeNames.matching(fits)) {
        if (hits.length >= most / 2) break
        hits.push(this.#typeHit(named))
      }
    }
    for (const id of this.#symbols.scan(name, owner === undefined ? {} : { owner })) {
      if (hits.length > most) return { hits, more: true }
      hits.push(this.#symbolHit(this.#symbols.get(id)))
    }
    return { hits, more: false }
  }

  /** Every struct that has a member of a name. */
  #withMember(name: string, most: number): { hits: SearchHit[]; more: boolean } {
    const uses = this.#types.withMember(name)
    const hits = uses
      .slice(0, most)
      .map(({ kind, name: of, member, module, id, type, bitOffset, modules }): SearchHit => {
        const detail = `offset ${Math.floor(bitOffset / 8)}, ${type}`
        const others = modules.length - 1
        const ref = { module, id, kind, name: of }
        return {
          kind: 'member',
          name: `${of}.${member}`,
          owner: module,
          detail,
          type: ref,
          ...(others > 0 && { others }),
        }
      })
    return { hits, more: uses.length > most }
  }

  /** The members that a path leads to, and those that what is typed last may become. */
  #members(query: string, most: number): SearchHit[] {
    const hits: SearchHit[] = []
    const cut = Math.max(query.lastIndexOf('.') + 1, query.lastIndexOf('->') + 2)
    const head = query.slice(0, cut).replace(/(?:\.|->)$/, '')
    const begun = query.slice(cut)
    const last = this.#place(query)
    if (last !== undefined) hits.push(last)
    if (cut < 2 || !/^\w*$/.test(begun)) return hits
    for (const { set, layout } of this.#structs(head)) {
      for (const member of named(layout)) {
        if (hits.length >= most) return hits
        if (!member.name.startsWith(begun) || member.name === begun) continue
        const name = `${head}.${member.name}`
        const detail = `offset ${member.offset}, ${member.declaration}`
        const type = refOf(set, layout.id)
        hits.push({ kind: 'member', name, owner: set.name, detail, ...(type && { type }) })
      }
      // Others of that name come after the first, which is the kernel's own choice.
      if (hits.length > 0) break
    }
    return hits
  }

  #place(query: string): SearchHit | undefined {
    try {
      const place = this.#types.member(query)
      if (place === undefined || place.typeId === undefined) return undefined
      const set = this.#types.requireSet(place.module)
      const bits = place.bits > 0 ? `, bits ${place.bitOffset % 8}+${place.bits}` : ''
      const through = place.through.length === 0 ? '' : `, through pointers at ${place.through.join(', ')}`
      const root = this.#types.find(
        query
          .replace(KEYWORD, '$2')
          .split(/[.[]|->/)[0]
          ?.trim() ?? '',
        { module: place.module },
      )
      const owner = root.find(({ kind }) => kind === 'STRUCT' || kind === 'UNION') ?? root[0]
      const detail = `offset ${place.offset}${bits}, ${place.type}, size ${place.size}${through}`
      return { kind: 'member', name: query, owner: set.name, detail, ...(owner && { type: { ...owner } }) }
    } catch (error) {
      if (error instanceof KerndexError) return undefined
      throw error
    }
  }

  /** The structs that a path leads to, through pointers. */
  *#structs(path: string): Generator<{ set: TypeSet; layout: Layout }> {
    try {
      if (/[.[]|->/.test(path)) {
        const place = this.#types.member(path)
        if (place === undefined) return
        const set = this.#types.requireSet(place.module)
        const layout = structBehind(set, place.typeId)
        if (layout !== undefined) yield { set, layout }
        return
      }
      const [, , bare = path] = KEYWORD.exec(path) ?? []
      for (const { module, id, kind } of this.#types.find(bare.trim())) {
        if (kind !== 'STRUCT' && kind !== 'UNION' && kind !== 'TYPEDEF') continue
        const set = this.#types.requireSet(module)
        const layout = structBehind(set, id)
        if (layout !== undefined) yield { set, layout }
      }
    } catch (error) {
      if (!(error instanceof KerndexError)) throw error
    }
  }

  #typeHit({ ref, others }: NamedType): SearchHit {
    const set = this.#types.set(ref.module)
    const size = set && sizeOf(set, ref.id)
    const words = ref.kind.replace('64', '').toLowerCase()
    const detail = size === undefined ? words : `${words}, ${size} bytes`
    return { kind: 'type', name: ref.name, owner: ref.module, detail, type: ref, ...(others > 0 && { others }) }
  }

  #symbolHit({ id, name, owner, address, size, type }: KernelSymbol): SearchHit {
    const isText = this.#symbols.isText(id)
    const shown = formatAddress(address)
    const detail = isText ? `${shown}, ${size} bytes` : `${shown}, ${size} bytes, ${type}`
    return { kind: isText ? 'function' : 'symbol', name, owner, detail, address: shown }
  }
}

/** Exact names before all others, types among symbols by how well they fit. */
function merge(types: readonly SearchHit[], symbols: readonly SearchHit[], query: string): SearchHit[] {
  const wanted = query.toLowerCase()
  const rank = ({ name }: SearchHit) => {
    const lower = name.toLowerCase()
    return lower === wanted ? 0 : lower.startsWith(wanted) ? 1 : 2
  }
  const merged: SearchHit[] = []
  for (const want of [0, 1, 2]) {
    const [some, others] = [types.filter((hit) => rank(hit) === want), symbols.filter((hit) => rank(hit) === want)]
    // By turns, so that many of one kind do not hide the other.
    for (let i = 0; i < Math.max(some.length, others.length); i++) {
      if (some[i] !== undefined) merged.push(some[i]!)
      if (others[i] !== undefined) merged.push(others[i]!)
    }
  }
  return merged
}

/** A type as it is referred to; undefined for one without a name. */
export function refOf(set: TypeSet, id: number): TypeRef | undefined {
  const name = set.nameOf(id)
  return name === '' ? undefined : { module: set.owner(id)?.name ?? set.name, id, kind: set.kindOf(id), name }
}

/** The members of a layout by name, those of structs without a name among them. */
function* named(layout: Layout): Generator<{ name: string; offset: number; declaration: string }> {
  for (const member of layout.members) {
    if (member.name !== '') yield member
    else if (member.nested !== undefined) yield* named(member.nested)
  }
}

const MOST_STEPS = 64

/** The struct or union that a type is, or points to. */
function structBehind(set: TypeSet, id: number): Layout | undefined {
  let at = id
  for (let step = 0; step < MOST_STEPS; step++) {
    at = skipModifiers(set, at)
    const type = decodeType(set, at)
    if (type.kind === 'STRUCT' || type.kind === 'UNION') return layoutOf(set, at)
    if (type.kind === 'PTR' || type.kind === 'ARRAY') at = type.type
    else return undefined
  }
  return undefined
}
