// Where the arguments of a C function are when it is entered: the calling conventions of x86-64, arm64, s390x and riscv
// as the kernel is compiled for them (no floating point in arguments).
//
// Sources: System V AMD64 psABI 3.2.3; AAPCS64 6.8 (rules C.1–C.17); s390x ELF ABI supplement 1.2; RISC-V psABI, LP64.

import type { Architecture } from './architectures.ts'

/** A type as calling conventions see it. */
export interface ValueShape {
  readonly kind: 'integer' | 'aggregate'
  /** Bytes. */
  readonly size: number
  /** Bytes. */
  readonly align: number
  /** A member lies where its type's alignment would not have it: such an aggregate goes through memory on x86-64. */
  readonly unaligned?: boolean
}

/** Where an argument is: registers first, then the stack if it starts or goes on there. */
export interface ArgumentPlace {
  readonly registers: readonly string[]
  /** Bytes from the stack pointer at the function's entry to the part that is on the stack. */
  readonly stack: number | undefined
  /** The address of the argument is there, not the argument. */
  readonly indirect: boolean
}

interface Convention {
  readonly registers: readonly string[]
  /** How tracefs calls a register, where that is not its name. */
  readonly fetched?: (register: string) => string
  readonly stackPointer: string
  /** Bytes from the stack pointer at entry to the first argument on the stack. */
  readonly stackStart: number
  /** The register of a returned integer. */
  readonly returns: string
  /** How an argument is passed. */
  place(shape: ValueShape, cursor: Cursor): ArgumentPlace
  /** Whether the address of a returned value takes the first argument's register. */
  hiddenReturn(shape: ValueShape): boolean
}

const WORD = 8
const words = (size: number): number => Math.ceil(size / WORD)

/** The registers and stack not yet taken. */
class Cursor {
  readonly #convention: Convention
  next = 0
  #stack: number

  constructor(convention: Convention) {
    this.#convention = convention
    this.#stack = convention.stackStart
  }

  get left(): number {
    return this.#convention.registers.length - this.next
  }

  /** Takes the next `count` registers. */
  take(count: number, indirect = false): ArgumentPlace {
    const registers = this.#convention.registers.slice(this.next, this.next + count)
    this.next += count
    return { registers, stack: undefined, indirect }
  }

  /** Takes room on the stack. */
  push(size: number, align: number, indirect = false): ArgumentPlace {
    return { registers: [], stack: this.#room(size, align), indirect }
  }

  /** Takes the last register and the stack for the rest. */
  split(size: number): ArgumentPlace {
    const { registers } = this.take(1)
    return { registers, stack: this.#room(size - WORD, WORD), indirect: false }
  }

  /** A value of one word. */
  word(indirect = false): ArgumentPlace {
    return this.left > 0 ? this.take(1, indirect) : this.push(WORD, WORD, indirect)
  }

  #room(size: number, align: number): number {
    const step = Math.max(WORD, align)
    const start = this.#convention.stackStart + Math.ceil((this.#stack - this.#convention.stackStart) / step) * step
    this.#stack = start + words(size) * WORD
    return start
  }
}

const CONVENTIONS: Readonly<Record<Architecture, Convention>> = {
  x86_64: {
    registers: ['rdi', 'rsi', 'rdx', 'rcx', 'r8', 'r9'],
    fetched: (register) => register.replace(/^r(?=[a-z])/, ''),
    stackPointer: 'rsp',
    // The return address lies at the stack pointer.
    stackStart: 8,
    returns: 'rax',
    place({ kind, size, align, unaligned }, cursor) {
      const inMemory = kind === 'aggregate' && (size > 16 || unaligned === true)
      // All of a value or nothing goes into registers; those that are left over serve later arguments.
      if (inMemory || words(size) > cursor.left) return cursor.push(size, align)
      return cursor.take(words(size))
    },
    hiddenReturn: ({ kind, size, unaligned }) => kind === 'aggregate' && (size > 16 || unaligned === true),
  },
  arm64: {
    registers: ['x0', 'x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7'],
    stackPointer: 'sp',
    stackStart: 0,
    returns: 'x0',
    place({ kind, size, align }, cursor) {
      if (kind === 'aggregate' && size > 16) return cursor.word(true)
      if (align >= 16 && cursor.next % 2 === 1) cursor.next = Math.min(8, cursor.next + 1)
      if (words(size) <= cursor.left) return cursor.take(words(size))
      // Once an argument is on the stack, all later ones are.
      cursor.next = 8
      return cursor.push(size, Math.min(align, 16))
    },
    // The address of a large result is in x8, apart from the arguments.
    hiddenReturn: () => false,
  },
  s390x: {
    registers: ['r2', 'r3', 'r4', 'r5', 'r6'],
    stackPointer: 'r15',
    // The register save area of the caller's frame lies below.
    stackStart: 160,
    returns: 'r2',
    place({ size }, cursor) {
      return cursor.word(![1, 2, 4, 8].includes(size))
    },
    hiddenReturn: ({ kind, size }) => kind === 'aggregate' || size > WORD,
  },
  riscv64: {
    registers: ['a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7'],
    stackPointer: 'sp',
    stackStart: 0,
    returns: 'a0',
    place({ size, align }, cursor) {
      if (size > 2 * WORD) return cursor.word(true)
      if (words(size) <= cursor.left) return cursor.take(words(size))
      return cursor.left === 1 ? cursor.split(size) : cursor.push(size, align)
    },
    hiddenReturn: ({ size }) => size > 2 * WORD,
  },
}

/**
 * Where each argument is at the function's entry. An argument whose shape is not known, and every one behind it, gets
 * undefined; one without size takes no place at all.
 */
export function placeArguments(
  architecture: Architecture,
  shapes: readonly (ValueShape | undefined)[],
  returned?: ValueShape,
): (ArgumentPlace | undefined)[] {
  const convention = CONVENTIONS[architecture]
  const cursor = new Cursor(convention)
  if (returned !== undefined && convention.hiddenReturn(returned)) cursor.take(1)
  let lost = false
  return shapes.map((shape) => {
    if (shape === undefined || lost) {
      lost = true
      return undefined
    }
    if (shape.size === 0) return { registers: [], stack: undefined, indirect: false }
    return convention.place(shape, cursor)
  })
}

/** A place in words: `rdi`, `rdi:rsi`, `[rsp+0x8]`, `a7:[sp+0x0]`, `*r3` for the address of the argument. */
export function placeText(architecture: Architecture, place: ArgumentPlace): string {
  const { registers, stack, indirect } = place
  const pieces: string[] = [...registers]
  if (stack !== undefined) pieces.push(`[${CONVENTIONS[architecture].stackPointer}+0x${stack.toString(16)}]`)
  return pieces.length === 0 ? 'none' : (indirect ? '*' : '') + pieces.join(':')
}

/** The register that holds a function's integer result. */
export function returnRegister(architecture: Architecture): string {
  return CONVENTIONS[architecture].returns
}

/**
 * How tracefs fetches a place (Documentation/trace/kprobetrace.rst): `%di`, `$stack1`; undefined for what is not one
 * register or one stack slot.
 */
export function fetchText(architecture: Architecture, { registers, stack }: ArgumentPlace): string | undefined {
  const [register] = registers
  if (registers.length === 1 && stack === undefined && register !== undefined) {
    return `%${CONVENTIONS[architecture].fetched?.(register) ?? register}`
  }
  return registers.length === 0 && stack !== undefined ? `$stack${stack / WORD}` : undefined
}
