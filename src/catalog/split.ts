// A host's symbols taken apart: into what each build has, wherever it lies, and where this host has it.

import { bisect } from '../core/bisect.ts'
import { BadFormatError, LimitError, NoPermissionError } from '../core/errors.ts'
import type { ModuleIdentity, ModuleInfo } from '../sources/facts.ts'
import type { ModuleSections } from '../sources/module-sections.ts'
import { PAGE } from '../symbols/claims.ts'
import { LONGEST_NAME } from '../symbols/constants.ts'
import { TYPE_CODE } from '../symbols/kinds.ts'
import { layoutOfSections, SectionedModules, sectionPlace } from '../symbols/section-starts.ts'
import { ABSOLUTE, BASE, type BuildEntry, type EntrySection, IMAGE, NOWHERE } from './entry.ts'
import { ANCHORS, type Anchor, MOST_ABSOLUTE, MOST_IMAGE } from './image.ts'
import { MODULE_NAME } from './json.ts'
import { MOST_SYMBOLS_OF_ENTRY } from './limits.ts'

/** The facts that a host tells beside its kallsyms text. */
export interface HostTold {
  /** The kernel's build id. */
  readonly kernel: string
  readonly release: string | undefined
  readonly modules: readonly ModuleInfo[]
  readonly sections: ReadonlyMap<string, ModuleSections>
  readonly identities: ReadonlyMap<string, ModuleIdentity>
}

/** Symbols of one owner, in the order of the text. */
interface Lines {
  readonly addresses: bigint[]
  readonly types: string[]
  readonly names: string[]
}

/** A host, taken apart. */
export interface SplitHost {
  readonly anchor: Anchor
  readonly vmlinux: BuildEntry
  readonly modules: readonly BuildEntry[]
  /** Modules of which no entry is made, and why. */
  readonly skipped: readonly { readonly module: string; readonly reason: string }[]
}

/** A module's symbol that far behind every section is in none. */
const MOST_SECTION = 1n << 28n

/** Whether lines of an owner are not of a module but of what the kernel makes as it runs: bpf programs, trampolines, slots. */
export function isDynamic(owner: string): boolean {
  return owner === 'bpf' || owner.startsWith('__builtin__')
}

/**
 * Takes a kallsyms text apart.
 * @throws NoPermissionError if addresses are hidden; BadFormatError if there is no core kernel in it; LimitError
 */
export function splitHost(text: string, told: HostTold): SplitHost {
  const owners = linesOf(text)
  const core = owners.get('')
  if (core === undefined) throw new BadFormatError('no symbol of the core kernel: this is no whole kallsyms text')
  if (core.addresses.every((address) => address === 0n)) {
    throw new NoPermissionError('every address is zero: the kernel hides them from this reader (kptr_restrict)')
  }
  const anchor = anchorOf(core)
  const infos = new Map(told.modules.map((info) => [info.name, info]))
  const apart = areApart(told, owners)
  const modules: BuildEntry[] = []
  const skipped: { module: string; reason: string }[] = []
  for (const [name, lines] of owners) {
    if (name === '' || isDynamic(name)) continue
    const entry = moduleEntry(name, lines, told, infos.get(name), apart)
    if (typeof entry === 'string') skipped.push({ module: name, reason: entry })
    else modules.push(entry)
  }
  return { anchor, vmlinux: kernelEntry(core, anchor, told), modules, skipped }
}

/** The symbols of each owner; lines of another form are left out. */
function linesOf(text: string): Map<string, Lines> {
  const owners = new Map<string, Lines>()
  let owner: string | undefined
  let lines: Lines | undefined
  for (let at = 0, end = 0; at < text.length; at = end + 1) {
    end = text.indexOf('\n', at)
    if (end < 0) end = text.length
    const line = parseLine(text.slice(at, end))
    if (line === undefined) continue
    if (line.owner !== owner) {
      owner = line.owner
      lines = owners.get(owner)
      if (lines === undefined) {
        lines = { addresses: [], types: [], names: [] }
        owners.set(owner, lines)
      }
    }
    lines!.addresses.push(line.address) // Set with the first owner.
    lines!.types.push(line.type)
    if (lines!.names.push(line.name) > MOST_SYMBOLS_OF_ENTRY) {
      throw new LimitError(`more than ${MOST_SYMBOLS_OF_ENTRY} symbols of one owner`)
    }
  }
  return owners
}

/** A line `ADDRESS TYPE NAME`, with `[OWNER]` behind a tab where it is not the core's; undefined for any other. */
export function parseLine(line: string): { address: bigint; type: string; name: string; owner: string } | undefined {
  const blank = line.indexOf(' ')
  if (blank < 1 || blank > 16 || line[blank + 2] !== ' ' || (TYPE_CODE[line.charCodeAt(blank + 1)] ?? -1) < 0)
    return undefined
  const digits = line.slice(0, blank)
  if (!/^[0-9a-f]{1,16}$/.test(digits)) return undefined
  const tab = line.indexOf('\t', blank + 3)
  const name = line.slice(blank + 3, tab < 0 ? undefined : tab)
  const owner = tab < 0 ? '' : line.slice(tab + 2, -1)
  const isOwned = tab < 0 || (line[tab + 1] === '[' && line.endsWith(']') && owner !== '')
  if (name === '' || name.length > LONGEST_NAME || !isOwned) return undefined
  return { address: BigInt(`0x${digits}`), type: line[blank + 1]!, name, owner }
}

function anchorOf({ names, addresses }: Lines): Anchor {
  for (const name of ANCHORS) {
    const at = names.indexOf(name)
    if (at >= 0) return { name, address: addresses[at]! }
  }
  throw new BadFormatError('neither _text nor _stext is among the symbols: nothing tells where the image begins')
}

function kernelEntry({ addresses, types, names }: Lines, anchor: Anchor, told: HostTold): BuildEntry {
  const section = new Uint16Array(names.length)
  const offset = new BigUint64Array(names.length)
  addresses.forEach((address, i) => {
    const inImage = address >= anchor.address && address - anchor.address < BigInt(MOST_IMAGE)
    const stays = address < BigInt(MOST_ABSOLUTE)
    section[i] = inImage ? 0 : stays ? 1 : NOWHERE
    offset[i] = inImage ? address - anchor.address : stays ? address : 0n
  })
  return {
    kind: 'vmlinux',
    name: 'vmlinux',
    buildId: told.kernel,
    srcversion: undefined,
    kernel: told.kernel,
    release: told.release,
    anchor: anchor.name,
    bytes: 0,
    sections: [{ name: IMAGE }, { name: ABSOLUTE }],
    base: undefined,
    symbols: { section, offset, type: types.join(''), names },
  }
}

/** A module's section. */
interface Placed {
  readonly name: string
  readonly address: bigint
}

/** The entry of a module, or why there is none. */
function moduleEntry(
  name: string,
  lines: Lines,
  told: HostTold,
  info: ModuleInfo | undefined,
  apart: boolean,
): BuildEntry | string {
  if (!MODULE_NAME.test(name)) return 'its name cannot be the name of a file'
  const identity = told.identities.get(name)
  const state = identity?.state ?? info?.state
  if (state !== undefined && state.toLowerCase() !== 'live')
    return `it is ${state.toLowerCase()}: its symbols are not settled`
  const known = told.sections.get(name)
  const address = info?.address ?? 0n
  if (known === undefined && address === 0n) return 'nothing tells where it lies'
  if (known === undefined && apart)
    return 'its sections are not recorded: since 6.4 its address alone does not place its data'
  const placed = known === undefined ? [{ name: BASE, address }] : sectionsOf(known)
  // A symbol lies in the section that begins last before it, if that is no per-cpu memory.
  const order = placed.map((_, i) => i).sort((a, b) => (placed[a]!.address < placed[b]!.address ? -1 : 1))
  const starts = order.map((i) => placed[i]!.address)
  const limit = known === undefined ? BigInt(info?.size ?? 0) : MOST_SECTION
  const section = new Uint16Array(lines.names.length)
  const offset = new BigUint64Array(lines.names.length)
  lines.addresses.forEach((at, i) => {
    const found = order[bisect(0, starts.length, (i) => starts[i]! <= at) - 1]
    const isPlaced =
      found !== undefined && at - placed[found]!.address < limit && !placed[found]!.name.startsWith('.data..percpu')
    section[i] = isPlaced ? found : NOWHERE
    offset[i] = isPlaced ? at - placed[found]!.address : 0n
  })
  const roots = rootsOf(placed, order, apart)
  const base = order.findLast((i) => placed[i]!.address <= address && address - placed[i]!.address < MOST_SECTION)
  return {
    kind: 'module',
    name,
    buildId: identity?.buildId,
    srcversion: identity?.buildId === undefined ? identity?.srcversion : undefined,
    kernel: told.kernel,
    release: told.release,
    anchor: '',
    bytes: info?.size ?? 0,
    sections: placed.map(({ name: own, address: at }, i): EntrySection => {
      const root = roots[i]!
      return root === i
        ? { name: own }
        : { name: own, near: { section: root, distance: Number(at - placed[root]!.address) } }
    }),
    base:
      address === 0n || base === undefined
        ? undefined
        : { section: base, distance: Number(address - placed[base]!.address) },
    symbols: { section, offset, type: lines.types.join(''), names: lines.names },
  }
}

/** A module's sections, in an order that does not depend on where they lie. */
function sectionsOf({ names, name, high, low }: ModuleSections): Placed[] {
  const placed = Array.from(name, (number, i) => ({
    name: names[number]!,
    address: (BigInt(high[i]!) << 32n) | BigInt(low[i]!),
  }))
  placed.sort((a, b) => (a.name < b.name ? -1 : 1))
  return placed.filter((one, i) => i < NOWHERE && one.name !== placed[i - 1]?.name)
}

/** For each section the first of those that it always lies behind by the same distance: itself, where it is that. */
function rootsOf(placed: readonly Placed[], order: readonly number[], apart: boolean): number[] {
  const roots = placed.map((_, i) => i)
  let root = -1
  let kindBefore = -1
  for (const i of order) {
    const { name, address } = placed[i]!
    const { kind, initial, elsewhere } = sectionPlace(name)
    // Freed memory, and what all modules share.
    if (initial || elsewhere) continue
    const differs = kind !== kindBefore && address % BigInt(PAGE) === 0n
    const isFar = root >= 0 && address - placed[root]!.address >= MOST_SECTION
    if (root < 0 || isFar || (apart && differs)) root = i
    roots[i] = root
    kindBefore = kind
  }
  return roots
}

/**
 * Whether a module's text, data and read-only data are allocations by themselves, as since 6.4: told by its sections, or by where its
 * symbols of each kind begin (docs/symbols.md).
 */
function areApart({ sections }: HostTold, owners: ReadonlyMap<string, Lines>): boolean {
  const modules = new SectionedModules(sections.size)
  for (const own of sections.values()) {
    // Per-cpu sections have small addresses.
    const half = own.high.reduce((most, high) => Math.max(most, high), 0)
    modules.add(half, own, 0, Number.NaN, false)
  }
  let { apart, together } = layoutOfSections(modules)
  if (apart + together === 0) {
    for (const [name, { addresses, types }] of owners) {
      if (name === '' || isDynamic(name)) continue
      const first = (kind: string) => {
        let least: bigint | undefined
        addresses.forEach((address, i) => {
          if (types[i]!.toLowerCase() === kind && (least === undefined || address < least)) least = address
        })
        return least
      }
      const [data, readOnly] = [first('d'), first('r')]
      if (data === undefined || readOnly === undefined) continue
      if (data < readOnly) apart++
      else together++
    }
  }
  return apart > together
}
