// Flavours of a type's name, by which libbpf lets a program hold several local variants of one type of the kernel.

import type { TypeSet } from './type-set.ts'

/** A name without its flavour: what follows `___` tells local variants of a type apart. */
export function essentialName(name: string): string {
  for (let i = name.length - 5; i >= 0; i--) {
    if (name[i] !== '_' && name.startsWith('___', i + 1) && name[i + 4] !== '_') return name.slice(0, i + 1)
  }
  return name
}

const flavours = new WeakMap<TypeSet, Map<string, number[]>>()

/** Types of a set whose names have a flavour, by essential name. Kernels have hardly any. */
export function flavoursOf(set: TypeSet): ReadonlyMap<string, readonly number[]> {
  let table = flavours.get(set)
  if (!table) {
    table = new Map()
    for (let id = set.firstId; id < set.endId; id++) {
      const name = set.nameOf(id)
      const essential = name.includes('___') ? essentialName(name) : name
      if (essential === name) continue
      const ids = table.get(essential)
      if (ids) ids.push(id)
      else table.set(essential, [id])
    }
    flavours.set(set, table)
  }
  return table
}
