// Writes small BTF blobs for tests, plain or split on another builder's.
import { shared } from './fixtures.ts'

export interface MemberSpec {
  name: string
  type: number
  /** Bit offset. */
  offset?: number
  /** Bits of a bitfield. */
  bits?: number
}

export class BtfBuilder {
  readonly #words: number[] = []
  readonly #base: BtfBuilder | undefined
  #strings: Buffer[] = []
  #stringBytes = 0
  #count = 0

  constructor(base?: BtfBuilder) {
    this.#base = base
    if (!base) this.#append('')
  }

  /** A builder whose set is split on this one's. Build this one first; it must not grow afterwards. */
  split(): BtfBuilder {
    return new BtfBuilder(this)
  }

  get #stringEnd(): number {
    return (this.#base ? this.#base.#stringEnd : 0) + this.#stringBytes
  }

  get nextId(): number {
    return (this.#base ? this.#base.nextId : 1) + this.#count
  }

  #append(text: string): number {
    const at = this.#stringEnd
    const bytes = Buffer.from(`${text}\0`, 'latin1')
    this.#strings.push(bytes)
    this.#stringBytes += bytes.length
    return at
  }

  #find(text: string): number | undefined {
    const inBase = this.#base ? this.#base.#find(text) : undefined
    if (inBase !== undefined) return inBase
    let at = this.#stringEnd - this.#stringBytes
    for (const each of this.#strings) {
      if (each.toString('latin1') === `${text}\0`) return at
      at += each.length
    }
    return undefined
  }

  /** Offset of a string, which is added if no set below has it. */
  name(text: string): number {
    return text === '' ? 0 : (this.#find(text) ?? this.#append(text))
  }

  /** A record with whatever words follow; returns its id. */
  raw(
    name: string,
    kind: number,
    vlen: number,
    flag: boolean,
    sizeOrType: number,
    rest: readonly number[] = [],
  ): number {
    const id = this.nextId
    this.#words.push(this.name(name), ((flag ? 0x80000000 : 0) | (kind << 24) | vlen) >>> 0, sizeOrType, ...rest)
    this.#count++
    return id
  }

  int(name: string, size: number, encoding = 0, bits = size * 8): number {
    return this.raw(name, 1, 0, false, size, [(encoding << 24) | bits])
  }

  ptr(type: number): number {
    return this.raw('', 2, 0, false, type)
  }

  array(type: number, index: number, count: number): number {
    return this.raw('', 3, 0, false, 0, [type, index, count])
  }

  struct(name: string, size: number, members: readonly MemberSpec[], union = false): number {
    const flag = members.some((each) => each.bits !== undefined)
    const rest = members.flatMap((m) => [this.name(m.name), m.type, (((m.bits ?? 0) << 24) | (m.offset ?? 0)) >>> 0])
    return this.raw(name, union ? 5 : 4, members.length, flag, size, rest)
  }

  union(name: string, size: number, members: readonly MemberSpec[]): number {
    return this.struct(name, size, members, true)
  }

  enum(name: string, size: number, values: Readonly<Record<string, number>>, signed = false): number {
    const rest = Object.entries(values).flatMap(([key, value]) => [this.name(key), value >>> 0])
    return this.raw(name, 6, Object.keys(values).length, signed, size, rest)
  }

  enum64(name: string, size: number, values: Readonly<Record<string, bigint>>, signed = false): number {
    const rest = Object.entries(values).flatMap(([key, value]) => [
      this.name(key),
      Number(BigInt.asUintN(32, value)),
      Number(BigInt.asUintN(32, value >> 32n)),
    ])
    return this.raw(name, 19, Object.keys(values).length, signed, size, rest)
  }

  fwd(name: string, union = false): number {
    return this.raw(name, 7, 0, union, 0)
  }

  typedef(name: string, type: number): number {
    return this.raw(name, 8, 0, false, type)
  }

  const(type: number): number {
    return this.raw('', 10, 0, false, type)
  }

  volatile(type: number): number {
    return this.raw('', 9, 0, false, type)
  }

  proto(result: number, params: readonly { name: string; type: number }[]): number {
    return this.raw(
      '',
      13,
      params.length,
      false,
      result,
      params.flatMap((each) => [this.name(each.name), each.type]),
    )
  }

  func(name: string, proto: number, linkage = 0): number {
    return this.raw(name, 12, linkage, false, proto)
  }

  /** A FUNC for each of many names that no set has yet, without looking whether that is so. */
  funcs(names: readonly string[], proto: number): void {
    let at = this.#stringEnd
    const bytes = Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1')
    for (const name of names) {
      this.#words.push(at, 12 << 24, proto)
      this.#count++
      at += name.length + 1
    }
    this.#strings.push(bytes)
    this.#stringBytes += bytes.length
  }

  var(name: string, type: number, linkage = 0): number {
    return this.raw(name, 14, 0, false, type, [linkage])
  }

  datasec(name: string, size: number, vars: readonly { type: number; offset: number; size: number }[]): number {
    return this.raw(
      name,
      15,
      vars.length,
      false,
      size,
      vars.flatMap((each) => [each.type, each.offset, each.size]),
    )
  }

  float(name: string, size: number): number {
    return this.raw(name, 16, 0, false, size)
  }

  declTag(tag: string, type: number, component = -1, attribute = false): number {
    return this.raw(tag, 17, 0, attribute, type, [component >>> 0])
  }

  typeTag(tag: string, type: number, attribute = false): number {
    return this.raw(tag, 18, 0, attribute, type)
  }

  build(): Uint8Array<SharedArrayBuffer> {
    const types = Buffer.from(Uint32Array.from(this.#words).buffer)
    const strings = Buffer.concat(this.#strings)
    const header = Buffer.alloc(24)
    header.writeUInt16LE(0xeb9f, 0)
    header.writeUInt8(1, 2)
    header.writeUInt32LE(24, 4)
    header.writeUInt32LE(types.length, 12)
    header.writeUInt32LE(types.length, 16)
    header.writeUInt32LE(strings.length, 20)
    return shared(Buffer.concat([header, types, strings]))
  }
}
