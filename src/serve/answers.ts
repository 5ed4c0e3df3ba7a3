// The server's answers to the page, as JSON: types alone, so that both sides read the same description. Addresses are `0x…` texts.

/** A table that there is. */
export interface TableAnswer {
  readonly key: string
  readonly live: boolean
  readonly open: boolean
  readonly source: string | null
  readonly release: string | null
  readonly buildId: string | null
  readonly bootId: string | null
  readonly generation: number | null
  readonly symbols: number | null
  /** The largest module that has symbols, as an example of one; null where there is none. */
  readonly module: string | null
  readonly failure: string | null
}

export interface TablesAnswer {
  readonly tables: readonly TableAnswer[]
  /** Names of the formats that texts can be put into and read from. */
  readonly outputs: readonly { readonly name: string; readonly what: string }[]
  readonly inputs: readonly { readonly name: string; readonly what: string }[]
}

/** A type by its place. */
export interface TypeRef {
  readonly module: string
  readonly id: number
  readonly kind: string
  readonly name: string
}

export interface SearchHit {
  readonly kind: 'function' | 'symbol' | 'type' | 'member' | 'address'
  /** The hit in words. */
  readonly name: string
  readonly owner: string
  /** In a few words: where it is, how large. */
  readonly detail: string
  /** Of a symbol or an address. */
  readonly address?: string
  /** Of a type or a member. */
  readonly type?: TypeRef
  /** How many others have the same name. */
  readonly others?: number
}

export interface SearchAnswer {
  readonly query: string
  readonly hits: readonly SearchHit[]
  /** There are more than these. */
  readonly more: boolean
  /** Time on the server. */
  readonly ms: number
}

/** A member of a struct as it lies. Offsets count from the outermost struct. */
export interface MemberAnswer {
  readonly name: string
  readonly declaration: string
  readonly offset: number
  readonly size: number
  readonly bitfield?: { readonly offset: number; readonly bits: number }
  readonly bitHole: number
  readonly hole: number
  /** The named type that the declaration is made of. */
  readonly ref?: TypeRef
  readonly nested?: LayoutAnswer
}

export interface LayoutAnswer {
  readonly kind: 'STRUCT' | 'UNION'
  readonly size: number
  readonly hole: number
  readonly padding: number
  readonly bitPadding: number
  readonly members: readonly MemberAnswer[]
}

export interface TypeAnswer {
  readonly type: TypeRef
  readonly size: number | null
  readonly align: number | null
  /** All types of the name, this one among them. */
  readonly candidates: readonly TypeRef[]
  readonly layout?: LayoutAnswer & { readonly totals: LayoutTotals }
  readonly values?: readonly { readonly name: string; readonly value: string }[]
  /** What a typedef or variable is of. */
  readonly of?: { readonly declaration: string; readonly ref?: TypeRef }
  readonly c: string
  readonly raw: string
}

export interface LayoutTotals {
  readonly members: number
  readonly memberBytes: number
  readonly memberBits: number
  readonly holes: number
  readonly holeBytes: number
  readonly bitHoles: number
  readonly holeBits: number
  readonly cacheLines: number
}

export interface UseAnswer {
  readonly kind: string
  readonly name: string
  readonly member: string
  readonly type: string
  readonly offset: number
  readonly module: string
  readonly id: number
  readonly modules: readonly string[]
}

export interface UsersAnswer {
  readonly aliases: readonly string[]
  readonly holds: UseList
  readonly points: UseList
  readonly calls: UseList
  readonly takes: FunctionList
  readonly returns: FunctionList
}

export interface UseList {
  readonly count: number
  readonly rows: readonly UseAnswer[]
}

export interface FunctionList {
  readonly count: number
  readonly rows: readonly { readonly name: string; readonly module: string; readonly prototype: string }[]
}

export interface DiffAnswer {
  readonly with: string
  readonly changes: readonly {
    readonly change: 'added' | 'removed' | 'changed'
    readonly module: string
    readonly details: readonly {
      readonly what: string
      readonly name?: string
      readonly from?: string
      readonly to?: string
    }[]
  }[]
  /** Whether each of the two has a type of that name and kind. */
  readonly here: boolean
  readonly there: boolean
}

export interface NeighbourAnswer {
  readonly address: string
  readonly name: string
  readonly owner: string
  readonly size: number
  readonly isText: boolean
}

export interface PlanAnswer {
  readonly kind: string
  readonly verdict: 'ok' | 'no' | 'unknown'
  readonly reasons: readonly { readonly code: string; readonly message: string; readonly by: string }[]
  readonly warnings: readonly { readonly code: string; readonly message: string }[]
  readonly probeAddress: string | null
  readonly args: readonly {
    readonly name: string
    readonly type: string
    readonly location: string | null
    readonly trusted: string
  }[]
  readonly returns: { readonly type: string; readonly location: string | null } | null
  readonly argsTrusted: string
  readonly method: string | null
  readonly bpftrace: string | null
  readonly kprobeEvents: string | null
}

export interface SymbolAnswer {
  readonly address: string
  readonly name: string
  readonly owner: string
  readonly type: string
  readonly size: number
  readonly isText: boolean
  readonly aliases: readonly string[]
  /** Variants that the compiler made of it, and it of them. */
  readonly clones: readonly NeighbourAnswer[]
  readonly before: readonly NeighbourAnswer[]
  readonly after: readonly NeighbourAnswer[]
  readonly prototype: string | null
  /** The types that the prototype names. */
  readonly refs: readonly TypeRef[]
  readonly plans: readonly PlanAnswer[]
  readonly others: readonly { readonly address: string; readonly owner: string; readonly type: string }[]
  /** Where in it the address that was asked for is. */
  readonly offset: number
}

/** A stretch of the address space. */
export interface StretchAnswer {
  readonly start: string
  readonly end: string
  readonly owner: string
  readonly kind: 'text' | 'rodata' | 'data' | 'init' | 'module' | 'bpf' | 'ftrace' | 'other' | 'symbol'
  /** As people call it: `text`, a module's name, a symbol's. */
  readonly name: string
}

export interface MapAnswer {
  /** What is shown, and all that there is. */
  readonly start: string
  readonly end: string
  readonly first: string
  readonly last: string
  /** Stretches of some width, in order. */
  readonly stretches: readonly StretchAnswer[]
  /** How many stretches are thinner than a column. */
  readonly thin: number
  /** The stretches are symbols. */
  readonly isSymbols: boolean
  /** Where people look first. */
  readonly places: readonly { readonly start: string; readonly end: string; readonly name: string }[]
  /** Addresses that the table has in all, by islands that lie far apart. */
  readonly islands: readonly { readonly start: string; readonly end: string; readonly name: string }[]
}

export interface SizesAnswer {
  readonly owners: readonly { readonly owner: string; readonly bytes: number; readonly symbols: number }[]
  readonly kinds: readonly { readonly kind: string; readonly bytes: number; readonly symbols: number }[]
  readonly largest: readonly NeighbourAnswer[]
}

export interface StatusAnswer {
  readonly table: TableAnswer
  readonly readyMs: number
  readonly typesMs: number | null
  readonly threads: number
  readonly spans: readonly {
    readonly work: string
    readonly what: string
    readonly thread: number
    readonly start: number
    readonly end: number
  }[]
  readonly symbols: {
    readonly count: number
    readonly bytes: number
    readonly byType: Readonly<Record<string, number>>
    readonly owners: number
    readonly aliases: number
    readonly repeatedNames: number
    readonly skipped: number
    readonly skippedLines: readonly { readonly line: number; readonly reason: string }[]
  }
  readonly types: { readonly sets: number; readonly count: number; readonly byKind: Readonly<Record<string, number>> }
  readonly modules:
    | readonly {
        readonly name: string
        readonly size: number
        readonly state: string
        readonly symbols: number
        readonly types: boolean
      }[]
    | null
  readonly absences: readonly { readonly what: string; readonly reason: string; readonly mend: string | null }[]
  readonly failures: readonly { readonly module: string; readonly reason: string }[]
  readonly provisional: boolean
}

/** Something that was put, and what it came to. */
export interface PutAnswer {
  readonly name: string
  readonly table: string
  readonly bytes: number
  readonly put: string
  readonly format: string | null
  readonly lines: number
  readonly events: number
  readonly frames: number
  readonly userFrames: number
  readonly unresolved: number
  readonly contradictions: number
  readonly bad: number
  readonly profiled: readonly string[]
  readonly profile: string
}

/** News of the running kernel. */
export interface NewsAnswer {
  readonly key: string
  readonly generation: number
  readonly symbols: number
  readonly fresh: readonly string[]
  readonly gone: readonly string[]
}
