// Where the sections of modules begin (/sys/module/NAME/sections), and what their names tell of where the kernel puts them.

import { AFTER_INIT, INITIAL, PIECE_DATA, PIECE_READ_ONLY, PIECE_TEXT } from './constants.ts'
import { LOWER, UPPER } from './search.ts'

/** Where the sections of a module begin: which of `names` each has, and the halves of its address. */
export interface SectionStarts {
  readonly names: readonly string[]
  readonly name: Uint16Array
  readonly high: Uint32Array
  readonly low: Uint32Array
}

const AFTER_INIT_SECTIONS = new Set(['.data..ro_after_init', '__jump_table', '.static_call_sites'])
const DATA_SECTIONS = new Set([
  '.gnu.linkonce.this_module',
  '.exit.data',
  '.ref.data',
  '.symtab',
  '.strtab',
  '__bug_table',
  '__patchable_function_entries',
  '__tracepoints',
  '__bpf_raw_tp_map',
  '__dyndbg',
  '__dyndbg_classes',
  '_ftrace_events',
  '_ftrace_eval_map',
])
const DATA_PREFIXES = ['.data', '.bss', '.sdata', '.sbss']
const TEXT_SECTIONS = new Set(['.altinstr_replacement', '.altinstr_aux', '.plt', '.fixup'])
/** Sections whose memory is shared by all modules (alloc_tag.c), or made anew for each processor. */
const ELSEWHERE = ['.data..percpu', 'alloc_tags', '.codetag.']

/** The code of a section that lies in no piece. */
const NOWHERE = 16

/** The codes of names, by list of names: all modules of a capture share one. */
export type SectionCodes = Map<readonly string[], Uint8Array>

/** Modules with known sections, as far as they lie among addresses of one upper half. Columns, with room for so many modules. */
export class SectionedModules {
  count = 0
  readonly owner: Uint16Array
  /**
   * The sections that lie in pieces, ascending, those of a module behind each other: each as its lower half and its code, the halves of a
   * number of 64 bits. They are sorted as that, and written by halves: numbers beyond 31 bits are objects until V8 has compiled a loop.
   */
  starts = new BigUint64Array(0)
  #halves = new Int32Array(0)
  /** Where each module's sections begin in `starts`, and where the last one's end. */
  readonly first: Uint32Array
  /** Bytes of all pieces of each; NaN where not known. */
  readonly bytes: Float64Array
  /** 1 while it is being loaded: its initialisation sections are memory of its own, too. */
  readonly loading: Uint8Array
  readonly #codes: SectionCodes

  constructor(modules: number, codes: SectionCodes = new Map()) {
    this.owner = new Uint16Array(modules)
    this.first = new Uint32Array(modules + 1)
    this.bytes = new Float64Array(modules)
    this.loading = new Uint8Array(modules)
    this.#codes = codes
  }

  /** Adds a module, if any of its sections lies at addresses of this upper half. */
  add(half: number, { names, name, high, low }: SectionStarts, owner: number, bytes: number, loading: boolean): void {
    const codes = this.#codesOf(names)
    const from = this.first[this.count]!
    const halves = this.#roomFor(from + low.length)
    const [uppers, lowers, wanted] = [signed(high), signed(low), half | 0]
    // Names of another part of the bundle are asked for each time.
    const [upper, lower] = [UPPER, LOWER]
    let to = from
    for (let i = 0; i < lowers.length; i++) {
      const code = codes[name[i]!]!
      if (uppers[i] !== wanted || code === NOWHERE) continue
      halves[2 * to + upper] = lowers[i]!
      halves[2 * to + lower] = code
      to++
    }
    if (to === from) return
    this.starts.subarray(from, to).sort()
    this.owner[this.count] = owner
    this.bytes[this.count] = bytes
    this.loading[this.count] = loading ? 1 : 0
    this.first[++this.count] = to
  }

  /** The code of a section that is in `starts`. */
  codeOf(section: number): number {
    return this.#halves[2 * section + LOWER]!
  }

  /** The halves of `starts`, with room for so many sections. */
  #roomFor(sections: number): Int32Array {
    if (sections > this.starts.length) {
      const larger = new BigUint64Array(2 * sections)
      larger.set(this.starts)
      this.starts = larger
      this.#halves = new Int32Array(larger.buffer)
    }
    return this.#halves
  }

  #codesOf(names: readonly string[]): Uint8Array {
    let codes = this.#codes.get(names)
    if (codes === undefined) {
      codes = Uint8Array.from(names, sectionCode)
      this.#codes.set(names, codes)
    }
    return codes
  }
}

const signed = ({ buffer, byteOffset, length }: Uint32Array) => new Int32Array(buffer, byteOffset, length)

/** What a section's name tells of where it is put: which kind of memory, whether that is freed, whether it is the module's at all. */
export function sectionPlace(name: string): {
  readonly kind: number
  readonly initial: boolean
  readonly elsewhere: boolean
} {
  const code = sectionCode(name)
  return { kind: code & ~INITIAL, initial: (code & INITIAL) !== 0, elsewhere: code === NOWHERE }
}

/** The kind of memory a section is put in. Its flags are not known outside of the kernel, so its name has to tell. */
function sectionCode(name: string): number {
  if (ELSEWHERE.some((prefix) => name.startsWith(prefix))) return NOWHERE
  const initial = name.startsWith('.init') || name === '.symtab' || name === '.strtab' ? INITIAL : 0
  const bare = name.startsWith('.init.') ? name.slice('.init'.length) : name
  if (bare.includes('text') || TEXT_SECTIONS.has(bare)) return PIECE_TEXT | initial
  if (AFTER_INIT_SECTIONS.has(bare)) return AFTER_INIT | initial
  if (DATA_SECTIONS.has(bare) || DATA_PREFIXES.some((prefix) => bare.startsWith(prefix))) return PIECE_DATA | initial
  return PIECE_READ_ONLY | initial
}

/** In how many of the modules data comes below read-only data, as separate pieces do, and in how many above. */
export function layoutOfSections(modules: SectionedModules): { apart: number; together: number } {
  const { count, first } = modules
  const votes = { apart: 0, together: 0 }
  for (let m = 0; m < count; m++) {
    for (let i = first[m]!; i < first[m + 1]!; i++) {
      const code = modules.codeOf(i)
      if (code !== PIECE_DATA && code !== PIECE_READ_ONLY) continue
      votes[code === PIECE_DATA ? 'apart' : 'together']++
      break
    }
  }
  return votes
}
