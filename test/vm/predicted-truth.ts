// A table that was made without reading a boot's symbols, against that boot's own: symbol by symbol, and by answers to addresses. Pure.
import { encodeName, type SymbolMatch, type SymbolTable } from 'kerndex'
import { seededRandom } from '../../bench/lib/random.ts'
import type { Outcome } from './outcome.ts'

/** A symbol as a name and its owner's. */
export interface Listed {
  readonly owner: string
  readonly name: string
}

/** What a catalogue says that it could not place. */
export interface NotPlaced {
  /** Modules that it does not know. */
  readonly missing: readonly { readonly name: string }[]
  readonly unplaced: readonly Listed[]
}

/** Addresses asked around symbols: so far before one and behind it. */
const BEFORE = 0x999
const AROUND = 0x2000
const WRONG_ANSWERS = 20

/** Every symbol of a boot's own table, and every one that was predicted beyond them. */
export function* compareSymbols(
  check: string,
  own: SymbolTable,
  predicted: SymbolTable,
  { missing, unplaced }: NotPlaced,
): Generator<Outcome> {
  const holes = new Set(missing.map(({ name }) => name))
  const listed = new Map<string, number>()
  for (const symbol of unplaced) listed.set(keyOf(symbol), (listed.get(keyOf(symbol)) ?? 0) + 1)
  let next = 0
  const beyond = (): Outcome => ({
    check,
    class: classOf(predicted.ownerOf(next)),
    kernel: 'nothing',
    kerndex: 'predicts it',
    wrong: true,
    subject: lineOf(predicted, next++),
  })
  for (let id = 0; id < own.size; id++) {
    const owner = own.ownerOf(id)
    const line = lineOf(own, id)
    const outcome = { check, class: classOf(owner), kernel: 'lists', subject: line }
    if (holes.has(owner)) {
      yield { ...outcome, kerndex: 'a hole: unknown module', wrong: false }
      continue
    }
    while (next < predicted.size && predicted.addressOf(next) < own.addressOf(id)) yield beyond()
    const key = keyOf({ owner, name: own.nameOf(id) })
    const left = listed.get(key) ?? 0
    if (next < predicted.size && lineOf(predicted, next) === line) {
      yield { ...outcome, kerndex: 'the same', wrong: false }
      next++
    } else if (left > 0) {
      listed.set(key, left - 1)
      // Only what each processor has a copy of lies in no section of its module's memory.
      yield { ...outcome, kerndex: 'lists it without a place', wrong: own.ownerAt(own.addressOf(id)) === owner }
    } else yield { ...outcome, kerndex: 'not at its place', wrong: true }
  }
  while (next < predicted.size) yield beyond()
  for (const [subject, left] of listed) {
    if (left > 0) yield { check, class: 'modules', kernel: 'nothing', kerndex: 'lists it', wrong: true, subject }
  }
}

/** What must be so of two answers: the same, or only not wrong, where one of the tables is not whole yet. */
export type Demand = 'the same' | 'not wrong'

/** Answers to addresses around the symbols of a boot's own table. Of those that differ the first are told one by one. */
export function* compareAnswers(
  check: string,
  own: SymbolTable,
  other: SymbolTable,
  { missing, unplaced }: NotPlaced,
  demand: Demand,
  count: number,
): Generator<Outcome> {
  const holes = new Set(missing.map(({ name }) => name))
  const listed = new Set(unplaced.map(keyOf))
  const below = seededRandom(11)
  let wrongs = 0
  for (let i = 0; i < count; i++) {
    const address = BigInt.asUintN(64, own.addressOf(below(own.size)) + BigInt(below(AROUND) - BEFORE))
    const [match, found] = [own.at(address), other.at(address)]
    const [right, mine] = [answer(own, address, match, listed), answer(other, address, found, listed)]
    const owner = match?.symbol.owner ?? own.ownerAt(address) ?? 'nobody'
    const outcome = { check, class: classOf(owner), kernel: match === undefined ? 'nothing' : 'answers' }
    const reason = found === undefined ? other.reasonFor(address) : undefined
    const open =
      (reason === 'unknown_module' && holes.has(other.ownerAt(address) ?? '')) ||
      (reason === 'not_loaded_yet' && demand === 'not wrong')
    if (mine === right) yield { ...outcome, kerndex: 'the same', wrong: false, subject: '' }
    else if (open) yield { ...outcome, kerndex: String(reason), wrong: false, subject: '' }
    else {
      const subject = `address 0x${address.toString(16)}: its own ${right}, kerndex ${mine}`
      yield { ...outcome, kerndex: 'another', wrong: true, subject: wrongs++ < WRONG_ANSWERS ? subject : '' }
    }
  }
}

/** An answer in words, without those that have no place, of which others may be aliases. */
function answer(
  table: SymbolTable,
  address: bigint,
  match: SymbolMatch | undefined,
  listed: ReadonlySet<string>,
): string {
  if (match === undefined) return `none ${table.reasonFor(address)} ${table.ownerAt(address)}`
  const candidates = match.candidates.map(({ symbol, offset }) => `${symbol.name}+${offset} [${symbol.owner}]`)
  const aliases = match.aliases.filter((alias) => !listed.has(keyOf(alias))).map(({ name }) => name)
  return `${match.symbol.name}+${match.offset}/${match.size} ${candidates} ${aliases}`
}

function classOf(owner: string): string {
  if (owner === 'vmlinux' || owner === 'nobody') return owner
  return owner === 'bpf' || owner.startsWith('__builtin__') ? 'made at run time' : 'modules'
}

function keyOf({ owner, name }: Listed): string {
  return `${owner} ${name}`
}

/** A symbol as a line of kallsyms. */
function lineOf(symbols: SymbolTable, id: number): string {
  const address = symbols.addressOf(id).toString(16).padStart(16, '0')
  const name = Buffer.from(encodeName(symbols.nameOf(id))).toString('latin1')
  return `${address} ${symbols.typeOf(id)} ${name}\t[${symbols.ownerOf(id)}]`
}
