// The kernel's check of the fields that it manages itself (locks, timers' kin, lists, trees, counts, kernel pointers) in the
// structs of BTF that is loaded: btf_parse_struct_metas, btf_parse_fields and btf_check_and_fixup_fields, kernel/bpf/btf.c.
import {
  infoVlen,
  KIND_ARRAY,
  KIND_DECL_TAG,
  KIND_PTR,
  KIND_STRUCT,
  KIND_TYPE_TAG,
  KIND_VOLATILE,
  MAX_DEPTH,
} from '../format.ts'
import { skipModifiers } from '../read/type.ts'
import type { TypeSet } from '../read/type-set.ts'

/** A rule that a struct breaks. */
export interface FieldError {
  readonly typeId: number
  readonly message: string
}

/** What is known of a special type. */
interface Special {
  /** Bytes; a struct of the name with another size is an ordinary one. */
  readonly size: number
  readonly align: number
  /** A struct may have one only. */
  readonly unique?: boolean
  /** An array of it may be part of a struct. */
  readonly repeats?: boolean
  /** It makes a struct one whose fields are looked at. */
  readonly marks: boolean
  /** The struct that elements of such a root have as their node. */
  readonly node?: string
}

const SPECIAL: ReadonlyMap<string, Special> = new Map([
  ['bpf_spin_lock', { size: 4, align: 4, unique: true, marks: true }],
  ['bpf_res_spin_lock', { size: 4, align: 4, unique: true, marks: false }],
  ['bpf_refcount', { size: 4, align: 4, unique: true, marks: true }],
  ['bpf_list_head', { size: 16, align: 8, repeats: true, marks: true, node: 'bpf_list_node' }],
  ['bpf_rb_root', { size: 16, align: 8, repeats: true, marks: true, node: 'bpf_rb_node' }],
  ['bpf_list_node', { size: 24, align: 8, marks: true }],
  ['bpf_rb_node', { size: 32, align: 8, marks: true }],
])

const KPTR = 'kptr'
const KPTR_TAGS: ReadonlySet<string> = new Set(['kptr', 'kptr_untrusted', 'percpu_kptr'])
const KPTR_FIELD: Special = { size: 8, align: 8, repeats: true, marks: true }

/** Most fields that the kernel keeps of one struct (BTF_FIELDS_MAX). */
const MOST_FIELDS = 11
const CONTAINS = 'contains:'

/** A field that the kernel manages, `off` bytes into its struct. */
interface Field {
  readonly name: string
  readonly off: number
  /** The struct that a list or tree is made of. */
  readonly value?: number
}

/** A struct's fields, those of structs inside it too, and how deeply these are nested; or the rule that is broken. */
type Found = { readonly fields: readonly Field[]; readonly height: number } | { readonly error: string }

/** The first struct whose special fields the kernel refuses. Every reference must have been checked. */
export function findFieldError(set: TypeSet): FieldError | undefined {
  const finder = new FieldFinder(set)
  const records = new Map<number, readonly Field[]>()
  for (let id = set.firstId; id < set.endId; id++) {
    if (set.kindNumberOf(id) !== KIND_STRUCT || !finder.isMarked(id)) continue
    const found = finder.of(id)
    if ('error' in found) return { typeId: id, message: found.error }
    const message = recordError(set.refOf(id), found.fields)
    if (message !== undefined) return { typeId: id, message }
    records.set(id, found.fields)
  }
  for (const [id, fields] of records) {
    const message = ownershipError(fields, records)
    if (message !== undefined) return { typeId: id, message }
  }
  return undefined
}

/** Why the kernel cannot keep a record of a struct's fields. */
function recordError(size: number, fields: readonly Field[]): string | undefined {
  if (fields.length > MOST_FIELDS) return `more than ${MOST_FIELDS} special fields`
  const counts = new Map<string, number>()
  let end = 0
  for (const { name, off } of fields) {
    const special = SPECIAL.get(name) ?? KPTR_FIELD
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    if (special.unique && count > 1) return `more than one ${name}`
    if (off < end) return `special fields overlap: ${name} at byte ${off}`
    end = off + special.size
    if (end > size) return `${name} at byte ${off} exceeds its struct size`
  }
  const locks = Number(counts.has('bpf_spin_lock')) + Number(counts.has('bpf_res_spin_lock'))
  if (locks > 1) return 'both bpf_spin_lock and bpf_res_spin_lock'
  if (locks === 0 && fields.some(({ value }) => value !== undefined)) return 'a list or tree without a lock beside it'
  if (counts.has('bpf_list_node') && counts.has('bpf_rb_node') && !counts.has('bpf_refcount')) {
    return 'nodes of both a list and a tree without a bpf_refcount'
  }
  return undefined
}

/** Why the types of lists and trees cannot own each other: an element that is a root itself must not be one's node too. */
function ownershipError(fields: readonly Field[], records: ReadonlyMap<number, readonly Field[]>): string | undefined {
  const isNode = fields.some(({ name }) => name === 'bpf_list_node' || name === 'bpf_rb_node')
  for (const { value } of fields) {
    if (value === undefined) continue
    const own = records.get(value)
    if (own === undefined) return 'a list or tree of a struct without special fields'
    if (isNode && own.some((each) => each.value !== undefined)) return 'lists and trees own each other in a circle'
  }
  return undefined
}

/** Finds the special fields of structs, each struct once. */
class FieldFinder {
  readonly #set: TypeSet
  /** Types that make a struct one whose fields are looked at: special ones, and pointers with a kernel pointer's tag. */
  readonly #marks = new Set<number>()
  readonly #found = new Map<number, Found>()
  #tags: Map<string, string[]> | undefined

  constructor(set: TypeSet) {
    this.#set = set
    for (const [name, { marks }] of SPECIAL) {
      const id = marks ? set.idsNamed(name, 'STRUCT')[0] : undefined
      if (id !== undefined) this.#marks.add(id)
    }
    for (let id = set.firstId; id < set.endId; id++) {
      const kind = set.kindNumberOf(id)
      if ((kind === KIND_PTR || kind === KIND_VOLATILE) && this.#kptr(id) === KPTR) this.#marks.add(id)
    }
  }

  /** Whether a struct has a member of a special type itself. */
  isMarked(id: number): boolean {
    if (this.#marks.size === 0) return false
    const { words } = this.#set
    const at = this.#set.position(id)
    for (let i = 0; i < infoVlen(words[at + 1]!); i++) if (this.#marks.has(words[at + 4 + 3 * i]!)) return true
    return false
  }

  /** The special fields of a struct. None contains itself, which was checked; nesting may be deeper than the kernel follows. */
  of(id: number): Found {
    return this.#find(id, 0)
  }

  #find(id: number, level: number): Found {
    const known = this.#found.get(id)
    if (known !== undefined) return known
    if (level >= MAX_DEPTH) return TOO_DEEP
    const found = this.#look(id, level)
    if (found !== TOO_DEEP) this.#found.set(id, found)
    return found
  }

  #look(id: number, level: number): Found {
    const set = this.#set
    const owner = set.owner(id)
    if (owner === undefined) return NOTHING
    const at = owner.position(id)
    const info = owner.words[at + 1]!
    const flagged = set.flagOf(id)
    const fields: Field[] = []
    let height = 0
    for (let i = 0; i < infoVlen(info); i++) {
      const place = owner.words[at + 5 + 3 * i]!
      const bits = flagged ? place & 0xffffff : place
      if (bits % 8 !== 0) return { error: 'a bitfield beside special fields does not begin at a byte' }
      const found = this.#member(id, i, owner.words[at + 4 + 3 * i]!, bits / 8, level)
      if ('error' in found) return found
      fields.push(...found.fields)
      height = Math.max(height, found.height)
      if (fields.length > MOST_FIELDS) return { error: `more than ${MOST_FIELDS} special fields` }
    }
    return fields.length === 0 && height === 0 ? NOTHING : { fields, height }
  }

  /** The special fields in a member: itself, or in the struct that it is, or as many as its array has elements. */
  #member(struct: number, index: number, member: number, off: number, level: number): Found {
    const set = this.#set
    let type = member
    let count = 1
    for (let i = 0; set.kindNumberOf(type) === KIND_ARRAY; i++) {
      if (i === MAX_DEPTH) return TOO_DEEP
      count *= set.word(type, 5)
      type = set.word(type, 3)
    }
    if (count === 0) return NOTHING
    const one = this.#single(struct, index, type, off, level)
    if ('error' in one || count === 1 || one.fields.length === 0) return one
    const fixed = one.fields.find(({ name }) => !(SPECIAL.get(name) ?? KPTR_FIELD).repeats)
    if (fixed !== undefined) return { error: `an array of ${fixed.name}` }
    if (one.fields.length * count > MOST_FIELDS) return { error: `more than ${MOST_FIELDS} special fields` }
    const step = set.kindNumberOf(type) === KIND_STRUCT ? set.refOf(type) : KPTR_FIELD.size
    const fields = Array.from({ length: count }, (_, k) =>
      one.fields.map((field) => ({ ...field, off: field.off + k * step })),
    )
    return { fields: fields.flat(), height: one.height }
  }

  #single(struct: number, index: number, type: number, off: number, level: number): Found {
    const set = this.#set
    if (set.kindNumberOf(type) !== KIND_STRUCT) {
      const kptr = this.#kptr(type)
      if (kptr === undefined || off % KPTR_FIELD.align !== 0) return NOTHING
      return kptr === KPTR ? { fields: [{ name: KPTR, off }], height: 0 } : { error: kptr }
    }
    const name = set.nameOf(type)
    const special = SPECIAL.get(name)
    if (special === undefined) {
      const inner = this.#find(type, level + 1)
      if ('error' in inner) return inner
      if (level + 1 + inner.height >= MAX_DEPTH) return TOO_DEEP
      return { fields: inner.fields.map((field) => ({ ...field, off: field.off + off })), height: inner.height + 1 }
    }
    if (off % special.align !== 0 || set.refOf(type) !== special.size) return NOTHING
    if (special.node === undefined) return { fields: [{ name, off }], height: 0 }
    const value = this.#valueOf(struct, index, special.node)
    return 'error' in value ? value : { fields: [{ name, off, value: value.id }], height: 0 }
  }

  /** What a pointer is to a struct that the kernel owns: `kptr`, the rule it breaks, or undefined for any other type. */
  #kptr(type: number): string | undefined {
    const set = this.#set
    const pointer = set.kindNumberOf(type) === KIND_VOLATILE ? set.refOf(type) : type
    if (set.kindNumberOf(pointer) !== KIND_PTR) return undefined
    const tag = set.refOf(pointer)
    if (set.kindNumberOf(tag) !== KIND_TYPE_TAG || set.flagOf(tag)) return undefined
    const target = set.refOf(tag)
    if (set.kindNumberOf(target) === KIND_TYPE_TAG) return 'a kernel pointer with more than one tag'
    if (!KPTR_TAGS.has(set.nameOf(tag))) return undefined
    const pointed = set.kindNumberOf(skipModifiers(set, target))
    return pointed === KIND_STRUCT ? KPTR : 'a kernel pointer to what is no struct'
  }

  /** The struct that a list or tree consists of: its tag `contains:STRUCT:NODE` says so. */
  #valueOf(struct: number, index: number, node: string): { readonly id: number } | { readonly error: string } {
    const set = this.#set
    const tags = this.#tagsOf(struct, index).filter((tag) => tag.startsWith(CONTAINS))
    if (tags.length !== 1) return { error: `a list or tree needs one tag ${CONTAINS}STRUCT:NODE` }
    const words = tags[0]!.slice(CONTAINS.length)
    const colon = words.indexOf(':')
    const [id] = colon < 0 ? [] : set.idsNamed(words.slice(0, colon), 'STRUCT')
    if (id === undefined) return { error: `${tags[0]} names no struct` }
    const owner = set.owner(id)!
    const at = owner.position(id)
    const found: number[] = []
    for (let i = 0; i < infoVlen(owner.words[at + 1]!); i++) {
      if (owner.nameAt(owner.words[at + 3 + 3 * i]!) === words.slice(colon + 1))
        found.push(owner.words[at + 4 + 3 * i]!)
    }
    const isNode = found.length === 1 && set.kindNumberOf(found[0]!) === KIND_STRUCT && set.nameOf(found[0]!) === node
    return isNode ? { id } : { error: `${tags[0]} names no ${node}` }
  }

  #tagsOf(struct: number, index: number): readonly string[] {
    if (this.#tags === undefined) {
      const set = this.#set
      this.#tags = new Map()
      for (let id = set.firstId; id < set.endId; id++) {
        if (set.kindNumberOf(id) !== KIND_DECL_TAG) continue
        const key = `${set.refOf(id)} ${set.word(id, 3) | 0}`
        const same = this.#tags.get(key)
        if (same === undefined) this.#tags.set(key, [set.nameOf(id)])
        else same.push(set.nameOf(id))
      }
    }
    return this.#tags.get(`${struct} ${index}`) ?? []
  }
}

const NOTHING: Found = { fields: [], height: 0 }
const TOO_DEEP: Found = { error: `special fields in structs more than ${MAX_DEPTH} deep` }
