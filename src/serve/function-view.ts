// A symbol as the page shows it: what it is, what lies beside it, and, where it is a function, how it can be probed and why not.

import { formatAddress } from '../core/address.ts'
import { KerndexError } from '../core/errors.ts'
import { splitSuffix } from '../probes/suffix.ts'
import type { ProbeTarget } from '../probes/target.ts'
import type { Reader } from '../reader.ts'
import type { KernelSymbol } from '../symbols/symbol.ts'
import type { NeighbourAnswer, PlanAnswer, SymbolAnswer, TypeRef } from './answers.ts'
import { notFound } from './http-error.ts'
import { namedBehind } from './type-view.ts'

/** Different addresses before and behind a symbol that are listed. */
const NEIGHBOURS = 6
/** Symbols of one kind that are listed beside one: names and addresses may be shared by thousands. */
const MOST = 64
const KINDS = ['kprobe', 'kretprobe', 'fentry', 'fexit'] as const

/** Which symbol is asked for: by an address in it, or by its name and whose it is. */
export interface SymbolQuestion {
  readonly address: bigint | undefined
  readonly name: string | undefined
  readonly owner: string | undefined
}

/** @throws HttpError 404 */
export function describeSymbol(reader: Reader, question: SymbolQuestion): SymbolAnswer {
  const { symbols } = reader
  const { symbol, offset } = find(reader, question)
  const { id, name, owner, address, type, size } = symbol
  const isText = symbols.isText(id)
  const target = isText ? planned(reader, 'kprobe', symbol) : undefined
  const others = symbols.named(name).filter((one) => one.id !== id)
  return {
    ...{ address: formatAddress(address), name, owner, type, size, isText, offset },
    aliases: symbols
      .startingAt(address)
      .filter((one) => one.id !== id)
      .slice(0, MOST)
      .map((one) => one.name),
    clones: isText ? clonesOf(reader, symbol) : [],
    before: around(reader, symbol, -1),
    after: around(reader, symbol, 1),
    prototype: target?.prototype ?? null,
    refs: target === undefined ? [] : refsOf(reader, target),
    plans: isText ? KINDS.flatMap((kind) => planAnswer(planned(reader, kind, symbol)) ?? []) : [],
    others: others
      .slice(0, MOST)
      .map((one) => ({ address: formatAddress(one.address), owner: one.owner, type: one.type })),
  }
}

function find({ symbols }: Reader, { address, name, owner }: SymbolQuestion): { symbol: KernelSymbol; offset: number } {
  if (address !== undefined) {
    const match = symbols.at(address)
    // What starts there may be no answer of the kernel's, as a label is none, and is what was clicked on.
    const exact = symbols.startingAt(address).find((one) => one.name === name && (owner ?? one.owner) === one.owner)
    if (exact !== undefined) return { symbol: exact, offset: 0 }
    if (match !== undefined) return { symbol: match.symbol, offset: match.offset }
    const [first] = symbols.startingAt(address)
    if (first !== undefined) return { symbol: first, offset: 0 }
    throw notFound(`no symbol contains ${formatAddress(address)}: ${symbols.reasonFor(address)}`)
  }
  const found = symbols.named(name ?? '', owner === undefined ? {} : { owner })
  // A function is meant, where data has the same name.
  const symbol = found.find((one) => symbols.isText(one.id)) ?? found[0]
  if (symbol === undefined) throw notFound(`there is no symbol ${owner === undefined ? '' : `${owner}:`}${name ?? ''}`)
  return { symbol, offset: 0 }
}

/** What a plan says of this very symbol; undefined where its name is none that a specification can have. */
function planned({ probes }: Reader, kind: string, { name, owner, address }: KernelSymbol): ProbeTarget | undefined {
  try {
    const plan = probes.plan(`${kind}:${owner}:${name}`, { ambiguous: 'all', looseSuffix: true })
    const targets = plan.specs.flatMap((spec) => [...spec.targets, ...spec.rejected])
    return targets.find((target) => target.address === address) ?? targets[0]
  } catch (error) {
    if (error instanceof KerndexError) return undefined
    throw error
  }
}

function planAnswer(target: ProbeTarget | undefined): PlanAnswer | undefined {
  if (target === undefined) return undefined
  const { kind, verdict, reasons, warnings, probeAddress, args, returns, argsTrusted, attach } = target
  return {
    ...{ kind, verdict, argsTrusted },
    reasons: reasons.map(({ code, message, by }) => ({ code, message, by })),
    warnings: warnings.map(({ code, message }) => ({ code, message })),
    probeAddress: probeAddress === undefined ? null : formatAddress(probeAddress),
    args: args.map(({ name, type, location, trusted }) => ({ name, type, location: location ?? null, trusted })),
    returns: returns === undefined ? null : { type: returns.type, location: returns.location ?? null },
    method: attach?.method ?? null,
    bpftrace: attach?.bpftrace ?? null,
    kprobeEvents: attach?.kprobeEvents ?? null,
  }
}

/** The named types in a target's prototype. */
function refsOf({ types }: Reader, { btf }: ProbeTarget): TypeRef[] {
  if (btf === undefined) return []
  const set = types.requireSet(btf.module)
  const [fn] = [...types.functions(set.nameOf(btf.id), { module: btf.module })].filter(({ id }) => id === btf.id)
  const refs = new Map<string, TypeRef>()
  const take = (id: number) => {
    const ref = namedBehind(set, id)
    if (ref !== undefined) refs.set(ref.name, ref)
  }
  const proto = set.refOf(btf.id)
  take(set.refOf(proto))
  for (const { typeId } of fn?.params ?? []) take(typeId)
  return [...refs.values()]
}

/** Variants of the same function, and the function that it is a variant of. */
function clonesOf({ symbols }: Reader, { id, name, owner }: KernelSymbol): NeighbourAnswer[] {
  const { base } = splitSuffix(name)
  return symbols
    .named(base, { owner, suffixes: true })
    .filter((one) => one.id !== id)
    .slice(0, MOST)
    .map((one) => neighbour(one, symbols.isText(one.id)))
}

function neighbour({ address, name, owner, size }: KernelSymbol, isText: boolean): NeighbourAnswer {
  return { address: formatAddress(address), name, owner, size, isText }
}

/** The symbols before or behind a symbol, each address once, nearest first. */
function around({ symbols }: Reader, { id, address }: KernelSymbol, step: 1 | -1): NeighbourAnswer[] {
  const found: NeighbourAnswer[] = []
  let last = address
  for (let at = id + step; at >= 0 && at < symbols.size && found.length < NEIGHBOURS; at += step) {
    const here = symbols.addressOf(at)
    if (here === last) continue
    last = here
    // The first of those that start there is the one that answers.
    const [primary] = symbols.startingAt(here)
    if (primary !== undefined) found.push(neighbour(primary, symbols.isText(primary.id)))
  }
  return found
}
