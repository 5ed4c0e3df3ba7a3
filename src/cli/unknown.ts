// Why a name has no answer: its module is not loaded, or it is not there, and what was probably meant.

import { memberNames } from '../btf/ask/member-path.ts'
import type { Types } from '../btf/types.ts'
import { meant } from '../core/arguments.ts'
import { isGlob } from '../core/glob.ts'
import { printable } from '../core/printable.ts'
import type { SymbolTable } from '../symbols/table.ts'

/** Names that are looked at more closely. */
const MOST_NEAR = 2_000
/** Questions for which near names are looked for: each goes through all names. */
const MOST_HINTS = 3

let hints = 0

/** Why there is no symbol of a name. */
export function whyNoSymbol(symbols: SymbolTable, owner: string | undefined, name: string): string {
  if (owner !== undefined && !isGlob(owner) && !symbols.owners.includes(owner)) {
    return `no module ${printable(owner)} is loaded${meant(owner, symbols.owners)}`
  }
  return `no such symbol${isGlob(name) ? '' : near(name, symbolNames(symbols, owner))}`
}

/** Why there is no function of a name. */
export function whyNoFunction(types: Types, module: string | undefined, name: string): string {
  return (
    withoutTypes(types, module) ?? `no such function${isGlob(name) ? '' : near(name, typeNames(types, module, true))}`
  )
}

/** Why there is no type of a name. */
export function whyNoType(types: Types, module: string | undefined, name: string): string {
  return withoutTypes(types, module) ?? `no such type${near(name, typeNames(types, module, false))}`
}

/** Why there is no member of a name in any type. */
export function whyNoMember(types: Types, name: string): string {
  return `no such member${near(name, allMembers(types))}`
}

/** What was probably meant by a type, written as in C, that is not there. */
export function nearType(types: Types, type: string): string {
  const name = type.match(/[\w$]+/g)?.at(-1)
  return name === undefined ? '' : near(name, typeNames(types, undefined, false))
}

/** What was probably meant by a function that is not there. */
export function nearFunction(symbols: SymbolTable, module: string | undefined, name: string): string {
  return near(name, symbolNames(symbols, module))
}

function withoutTypes(types: Types, module: string | undefined): string | undefined {
  if (module === undefined || isGlob(module) || types.set(module) !== undefined) return undefined
  const names = types.sets.map((set) => set.name)
  return `no types of ${printable(module)}: it is not loaded, or was built without BTF${meant(module, names)}`
}

/** The end of a sentence that names what was probably meant; empty if nothing is near. */
function near(name: string, names: Iterable<string>): string {
  if (name.length < 3 || hints++ >= MOST_HINTS) return ''
  const some: string[] = []
  const ends = name.length < 6 ? 1 : 2
  for (const each of names) {
    // A slip changes one or two letters: what shares neither beginning nor end is something else.
    if (Math.abs(each.length - name.length) > 2) continue
    if (!each.startsWith(name.slice(0, ends)) && !each.endsWith(name.slice(-ends - 1))) continue
    if (each === name || some.push(each) >= MOST_NEAR) break
  }
  return meant(name, some)
}

function* symbolNames(symbols: SymbolTable, owner: string | undefined): Generator<string> {
  for (let id = 0; id < symbols.size; id++) {
    if (owner === undefined || symbols.ownerOf(id) === owner) yield symbols.nameOf(id)
  }
}

function* allMembers(types: Types): Generator<string> {
  for (const set of types.sets) {
    for (let id = set.firstId; id < set.endId; id++) {
      if (set.kindOf(id) === 'STRUCT' || set.kindOf(id) === 'UNION') yield* memberNames(set, id)
    }
  }
}

function* typeNames(types: Types, module: string | undefined, functions: boolean): Generator<string> {
  for (const set of types.sets) {
    if (module !== undefined && set.name !== module) continue
    for (let id = set.firstId; id < set.endId; id++) {
      if ((set.kindOf(id) === 'FUNC') === functions) yield set.nameOf(id)
    }
  }
}
