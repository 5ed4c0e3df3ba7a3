// Modules built outside the kernel's tree carry a distilled base (`.BTF.base`): just enough of vmlinux to find its types
// again by name. This moves such a module onto a real vmlinux, as the kernel does when it loads it (since 6.11).

import { encodeName } from '../../core/bytes.ts'
import { BadFormatError } from '../../core/errors.ts'
import { sharedMemory } from '../../core/shared-memory.ts'
import { BTF_MAGIC, KIND_ENUM, KIND_FLOAT, KIND_FWD, KIND_INT, KIND_STRUCT, KIND_UNION } from '../format.ts'
import { isEnum, KIND_COUNT, kindName, plainKind } from '../kinds.ts'
import { indexTypes, readShape } from '../read/index-types.ts'
import { visitWords } from '../read/references.ts'
import { TypeSet } from '../read/type-set.ts'

/**
 * Rewrites a module's blob, split on its distilled base, into one that is split on `vmlinux`.
 * @throws BadFormatError if a type of the distilled base has no counterpart in vmlinux, or several.
 */
export function relocateDistilled(
  module: Uint8Array<SharedArrayBuffer>,
  distilled: Uint8Array<SharedArrayBuffer>,
  vmlinux: TypeSet,
): Uint8Array<SharedArrayBuffer> {
  const base = open('.BTF.base', distilled)
  const set = open('module', module, base, distilled)
  const targets = matchBase(base, vmlinux)
  const strings = new Strings(vmlinux.stringEnd)
  const words: number[] = []
  for (let id = set.firstId; id < set.endId; id++) {
    const start = set.position(id)
    const end = id + 1 < set.endId ? set.position(id + 1) : set.typesEnd
    const record = set.words.slice(start, end)
    visitWords(record, 0, {
      name(at) {
        record[at] = strings.offset(set.nameAt(record[at]!))
      },
      type(at) {
        const ref = record[at]!
        record[at] = ref < base.endId ? targets[ref]! : ref - base.endId + vmlinux.endId
      },
    })
    for (const word of record) words.push(word)
  }
  return assemble(Uint32Array.from(words), strings.bytes())
}

function open(
  name: string,
  bytes: Uint8Array<SharedArrayBuffer>,
  base?: TypeSet,
  baseBytes?: Uint8Array<SharedArrayBuffer>,
): TypeSet {
  const { records, failures } = indexTypes([{ name, bytes }], baseBytes && readShape(baseBytes))
  if (failures[0]) throw failures[0].error
  return new TypeSet(records[0]!, base)
}

/** For every id of the distilled base, the id in vmlinux. */
function matchBase(base: TypeSet, vmlinux: TypeSet): Uint32Array {
  const targets = new Uint32Array(base.endId)
  for (let id = base.firstId; id < base.endId; id++) {
    const kind = base.kindNumberOf(id)
    const name = base.nameOf(id)
    const found = vmlinux.idsNamed(name).filter((each) => isCounterpart(base, id, vmlinux, each))
    const what = `${kindName(kind)} ${name}`
    if (found.length === 0) throw new BadFormatError(`.BTF.base: vmlinux has no ${what} of that size`, { typeId: id })
    if (found.length > 1 && kind !== KIND_FWD) {
      throw new BadFormatError(`.BTF.base: vmlinux has ${found.length} types ${what}; which is meant cannot be told`, {
        typeId: id,
      })
    }
    targets[id] = found[0]!
  }
  return targets
}

/** Whether a vmlinux type is what a distilled one stands for. A distilled type of size 0 was only pointed to. */
function isCounterpart(base: TypeSet, id: number, vmlinux: TypeSet, other: number): boolean {
  const kind = base.kindNumberOf(id)
  const found = vmlinux.kindNumberOf(other)
  const size = base.refOf(id)
  switch (plainKind(kind)) {
    case KIND_INT:
      return found === kind && vmlinux.refOf(other) === size && vmlinux.word(other, 3) === base.word(id, 3)
    case KIND_FLOAT:
      return found === kind && vmlinux.refOf(other) === size
    case KIND_FWD: {
      const wanted = base.flagOf(id) ? KIND_UNION : KIND_STRUCT
      return found === wanted || (found === KIND_FWD && vmlinux.flagOf(other) === base.flagOf(id))
    }
    case KIND_ENUM:
      return isEnum(found) && (size === 0 || vmlinux.refOf(other) === size)
    case KIND_STRUCT:
    case KIND_UNION:
      return found === kind && (size === 0 || vmlinux.refOf(other) === size)
    default:
      throw new BadFormatError(
        `.BTF.base: [${id}] ${kind >= KIND_COUNT ? `kind ${kind}` : kindName(kind)} does not belong into a distilled base`,
        { typeId: id },
      )
  }
}

/** The strings of the new blob: all names are its own, none is looked for in vmlinux. */
class Strings {
  readonly #start: number
  readonly #offsets = new Map<string, number>()
  readonly #parts: Buffer[] = []
  #length = 0

  constructor(start: number) {
    this.#start = start
  }

  offset(name: string): number {
    if (name === '') return 0
    let offset = this.#offsets.get(name)
    if (offset === undefined) {
      offset = this.#start + this.#length
      const bytes = Buffer.concat([encodeName(name), Buffer.of(0)])
      this.#offsets.set(name, offset)
      this.#parts.push(bytes)
      this.#length += bytes.length
    }
    return offset
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

/** A blob in this machine's byte order with a header of 24 bytes. */
function assemble(types: Uint32Array, strings: Buffer): Uint8Array<SharedArrayBuffer> {
  const header = Uint32Array.of(0, 24, 0, types.byteLength, types.byteLength, strings.length)
  new Uint16Array(header.buffer)[0] = BTF_MAGIC
  new Uint8Array(header.buffer)[2] = 1
  const blob = new Uint8Array(sharedMemory(24 + types.byteLength + strings.length))
  blob.set(new Uint8Array(header.buffer))
  blob.set(new Uint8Array(types.buffer), 24)
  blob.set(strings, 24 + types.byteLength)
  return blob
}
