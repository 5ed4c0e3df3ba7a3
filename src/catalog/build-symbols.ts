// The symbols of one build by where they are within it: for addresses that come without any host, as profilers send those of kernel
// frames.

import { joinAddress } from '../core/address.ts'
import { text, wrong } from '../core/arguments.ts'
import { CORE_OWNER } from '../symbols/build.ts'
import type { KernelSymbol } from '../symbols/symbol.ts'
import { type Book, type BookEntry, ROW } from './book.ts'
import { ET_DYN, ET_EXEC, elfOf } from './build-elf.ts'
import { BASE, entryKey, IMAGE } from './entry.ts'

/** A symbol of a build, and where in it an offset lies. */
export interface BuildMatch {
  readonly name: string
  readonly type: string
  /** Bytes from the symbol's start. */
  readonly offset: number
  /** Bytes from the symbol's start to its end. */
  readonly size: number
  /** Other names of the same place. */
  readonly aliases: readonly string[]
}

/** A symbol of a build. */
export interface BuildSymbol {
  readonly name: string
  readonly type: string
  /** Bytes from the build's origin; negative where it lies before it. */
  readonly offset: bigint
  readonly size: number
}

const EM_X86_64 = 62
const EM_AARCH64 = 183
/** Where kernels are linked: `_text` of x86; the image of arm64 with 48 bits of addresses, behind 2 GiB for modules since 6.5. */
const X86_TEXT = 0xffff_ffff_8100_0000n
const ARM_TEXT = 0xffff_8000_8000_0000n
const ARM_TEXT_BEFORE = 0xffff_8000_0800_0000n
/** So far behind the image's begin arm64 has `_stext`. */
const ARM_HEAD = 0x1_0000n

/** The largest kernel image and the largest module are far smaller. */
const MOST_OFFSET = 1n << 30n

/** One build of the kernel or of a module. */
export class BuildSymbols {
  readonly kind: 'vmlinux' | 'module'
  /** `vmlinux`, or the module's name. */
  readonly name: string
  readonly buildId: string | undefined
  /** The build id of the kernel that it belongs to. */
  readonly kernel: string
  readonly release: string | undefined
  /** The place from which offsets are counted: `_text` or `_stext` of a kernel, `.text` of a module. */
  readonly origin: string
  readonly #book: Book
  readonly #entry: BookEntry
  readonly #origin: bigint
  readonly #group: number
  readonly #owner: string

  /** Use `catalog.build`. */
  constructor(book: Book, entry: BookEntry) {
    this.kind = entry.kind
    this.name = entry.name
    this.buildId = entry.buildId
    this.kernel = entry.kernel
    this.release = entry.release
    this.#book = book
    this.#entry = entry
    const wanted = entry.kind === 'vmlinux' ? [IMAGE] : ['.text', BASE]
    const { rows, names } = book
    let origin = entry.first
    for (let at = entry.first; at < entry.end; at += ROW.words) {
      if (wanted.includes(names[rows[at + ROW.name]!]!)) origin = at
    }
    this.origin = entry.kind === 'vmlinux' ? entry.anchor : '.text'
    const hasAny = entry.end > entry.first
    this.#origin = hasAny ? joinAddress(rows[origin + ROW.high]!, rows[origin + ROW.low]!) : 0n
    this.#group = hasAny ? rows[origin + ROW.group]! : -1
    this.#owner = entry.kind === 'vmlinux' ? CORE_OWNER : entryKey(entry)
  }

  /**
   * The symbol that contains an offset from the origin. For a return address, look up one less. Undefined where nothing of this build is
   * there.
   * @throws UsageError if it is no whole number
   */
  at(offset: bigint | number): BuildMatch | undefined {
    const isWhole = typeof offset === 'bigint' || (typeof offset === 'number' && Number.isSafeInteger(offset))
    if (!isWhole) throw wrong('offset', 'a whole number of bytes', offset)
    const wide = BigInt(offset)
    if (wide < 0n || wide >= MOST_OFFSET) return undefined
    const match = this.#book.table.at(this.#origin + wide)
    if (match === undefined || match.symbol.owner !== this.#owner) return undefined
    const { symbol, size, aliases } = match
    return {
      name: symbol.name,
      type: symbol.type,
      offset: match.offset,
      size,
      aliases: aliases.map(({ name }) => name),
    }
  }

  /** Every symbol of a name that lies in the image, or keeps its distance from the module's text. */
  named(name: string): BuildSymbol[] {
    const found = this.#book.table.named(text(name, 'name'), { owner: this.#owner })
    return found.filter((symbol) => this.#isNear(symbol)).map((symbol) => this.#describe(symbol))
  }

  /** Every symbol that lies in the image, or keeps its distance from the module's text, by address. */
  *[Symbol.iterator](): Generator<BuildSymbol> {
    const { table, rows } = this.#book
    for (let at = this.#entry.first; at < this.#entry.end; at += ROW.words) {
      if (rows[at + ROW.group] !== this.#group) continue
      for (let id = rows[at + ROW.from]!; id < rows[at + ROW.to]!; id++) yield this.#describe(table.get(id))
    }
  }

  /**
   * The text symbols as an ELF file with the build id and nothing else: no code, no lines. A kernel's addresses are those at which it is
   * linked, a module's are from its `.text` on.
   * @throws BadFormatError if the build has no build id of its own
   */
  elf(): Uint8Array {
    const { table, rows } = this.#book
    const symbols: { name: string; offset: bigint; size: number; global: boolean }[] = []
    let end = 0n
    for (let at = this.#entry.first; at < this.#entry.end; at += ROW.words) {
      if (rows[at + ROW.group] !== this.#group) continue
      for (let id = rows[at + ROW.from]!; id < rows[at + ROW.to]!; id++) {
        if (!table.isText(id)) continue
        const { name, offset, size, type } = this.#describe(table.get(id))
        if (offset < 0n) continue
        symbols.push({ name, offset, size, global: type === 'T' || type === 'W' })
        if (offset + BigInt(size) > end) end = offset + BigInt(size)
      }
    }
    const isKernel = this.kind === 'vmlinux'
    const has = (name: string) => table.named(name, { owner: CORE_OWNER }).length > 0
    const isX86 = has('entry_SYSCALL_64')
    const isArm = has('el0t_64_sync') || has('el0_sync')
    return elfOf({
      buildId: this.buildId ?? '',
      machine: isX86 ? EM_X86_64 : isArm ? EM_AARCH64 : 0,
      type: isKernel ? ET_EXEC : ET_DYN,
      address: isKernel ? (isX86 ? X86_TEXT : this.#linkedOnArm()) : 0n,
      bytes: end,
      symbols,
    })
  }

  /** Where the origin of an arm64 kernel is linked. */
  #linkedOnArm(): bigint {
    const [, major = '', minor = ''] = /^(\d{1,3})\.(\d{1,3})/.exec(this.release ?? '') ?? []
    const isBefore = Number(major) < 6 || (Number(major) === 6 && Number(minor) < 5)
    return (isBefore ? ARM_TEXT_BEFORE : ARM_TEXT) + (this.origin === '_stext' ? ARM_HEAD : 0n)
  }

  #isNear({ id }: KernelSymbol): boolean {
    const { rows } = this.#book
    for (let at = this.#entry.first; at < this.#entry.end; at += ROW.words) {
      if (rows[at + ROW.group] === this.#group && id >= rows[at + ROW.from]! && id < rows[at + ROW.to]!) return true
    }
    return false
  }

  #describe({ name, type, address, size }: KernelSymbol): BuildSymbol {
    return { name, type, offset: address - this.#origin, size }
  }
}
