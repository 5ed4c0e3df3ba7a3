// A type that a question found, which says in a text what it is.

import { printable } from '../../core/printable.ts'
import { type KindName, typeInWords } from '../kinds.ts'
import type { TypeCandidate } from '../read/type.ts'
import type { TypeSet } from '../read/type-set.ts'

/** A candidate that says in a text what it is. */
export class Candidate implements TypeCandidate {
  readonly module: string
  readonly id: number
  readonly kind: KindName
  readonly name: string

  constructor(module: string, id: number, kind: KindName, name: string) {
    this.module = module
    this.id = id
    this.kind = kind
    this.name = name
  }

  /** `struct nft_ctx [nf_tables]`. */
  toString(): string {
    return `${typeInWords(this)}${this.module === 'vmlinux' ? '' : ` [${printable(this.module)}]`}`
  }
}

/** The type of a set with an id. */
export function candidate(set: TypeSet, id: number, name: string = set.nameOf(id)): TypeCandidate {
  return new Candidate(set.name, id, set.kindOf(id), name)
}
