// The answers of `kerndex address`, in each of its forms, many addresses at a time. What all addresses of a symbol share is put into
// words once (symbols/phrases.ts); what depends on more than the symbol is put into words each time.

import { formatAddress } from '../core/address.ts'
import { printable, printableJson } from '../core/printable.ts'
import type { NoPlace, PastedBatch } from '../stacks/pasted.ts'
import { isHole, type NothingReason } from '../symbols/locate.ts'
import { PhraseHeap, PhraseWriter, SLOT } from '../symbols/phrases.ts'
import { NO_SYMBOL } from '../symbols/search.ts'
import type { KernelSymbol, SymbolMatch } from '../symbols/symbol.ts'
import type { SymbolTable } from '../symbols/table.ts'
import type { Field } from './rows.ts'
import type { Unanswered } from './unanswered.ts'

/** An offset, as a number in decimal and in hexadecimal digits, or slots for them. */
interface Offset {
  readonly decimal: string
  readonly hex: string
}

/** The answer for one address. Names are as they are in the table: they are escaped where they are written. */
export interface Answer {
  /** What was asked, where it was a name with an offset. */
  readonly query: string | undefined
  /** `0x` and 16 digits or a slot for them; undefined where a name stands for no address. */
  readonly address: string | undefined
  /** What contains it, the likeliest first; none where nothing does. */
  readonly found: readonly { readonly symbol: KernelSymbol; readonly offset: Offset }[]
  readonly size: number | undefined
  readonly aliases: readonly KernelSymbol[]
  readonly reason: NothingReason | NoPlace | undefined
  /** Whose memory it is, where that is known though no symbol is. */
  readonly hole?: string | undefined
}

/** The fields of an answer, in the order of columns. */
export const ADDRESS_FIELDS: readonly Field<Answer>[] = [
  { name: 'address', value: ({ address }) => address },
  { name: 'symbol', value: ({ found }) => found[0] && printable(found[0].symbol.name) },
  {
    name: 'offset',
    value: ({ found }) => found[0]?.offset.decimal,
    words: ({ found }) => found[0] && `0x${found[0].offset.hex}`,
  },
  {
    name: 'size',
    value: ({ size }) => size?.toString(),
    words: ({ size }) => (size === undefined ? undefined : `0x${size.toString(16)}`),
  },
  {
    name: 'owner',
    value: ({ found, hole }) => (found[0] ? printable(found[0].symbol.owner) : hole && printable(hole)),
  },
  { name: 'type', value: ({ found }) => found[0]?.symbol.type },
  { name: 'aliases', value: ({ aliases }) => listed(aliases.map(({ name }) => printable(name))) },
  { name: 'candidates', value: ({ found }) => listed(found.map(({ symbol, offset }) => inWords(symbol, offset))) },
  { name: 'reason', value: ({ reason }) => reason },
  { name: 'query', value: ({ query, address }) => (query === undefined ? address : printable(query)) },
]

function listed(words: readonly string[]): string | undefined {
  return words.length === 0 ? undefined : words.join('; ')
}

/** How answers are written. */
export type AnswerForm = (answer: Answer) => string

export const asJson: AnswerForm = ({ query, address, found, size, aliases, reason, hole }) => {
  const [first] = found
  const symbol = first?.symbol
  const text = (value: string | undefined) => (value === undefined ? 'null' : JSON.stringify(value))
  const candidates = found.map(
    (one) => `{"symbol":${text(one.symbol.name)},"offset":${one.offset.decimal},"owner":${text(one.symbol.owner)}}`,
  )
  return printableJson(
    `{${query === undefined ? '' : `"query":${text(query)},`}"address":${address === undefined ? 'null' : `"${address}"`},` +
      `"symbol":${text(symbol?.name)},"offset":${first?.offset.decimal ?? 'null'},"size":${size ?? 'null'},` +
      `"owner":${text(symbol?.owner ?? hole)},"type":${text(symbol?.type)},` +
      `"aliases":[${aliases.map(({ name }) => text(name)).join()}],"candidates":[${candidates.join()}],"reason":${text(reason)}}\n`,
  )
}

export const asText: AnswerForm = ({ query, address, found, size, aliases, reason, hole }) => {
  const head = address ?? printable(query ?? '')
  const [first, ...others] = found
  if (first === undefined) return `${head}  -  (${reason})${hole === undefined ? '' : ` [${printable(hole)}]`}\n`
  const also = aliases.length > 0 ? `  = ${aliases.map(({ name }) => printable(name)).join(', ')}` : ''
  // As wide as an address.
  const indent = ' '.repeat(formatAddress(0n).length)
  return (
    `${head}  ${inWords(first.symbol, first.offset, size)}${also}\n` +
    others.map(({ symbol, offset }) => `${indent}  or ${inWords(symbol, offset)}\n`).join('')
  )
}

function inWords({ name, owner }: KernelSymbol, { hex }: Offset, size?: number): string {
  const of = size === undefined ? '' : `/0x${size.toString(16)}`
  return `${printable(name)}+0x${hex}${of}${owner === 'vmlinux' ? '' : ` [${printable(owner)}]`}`
}

const slots = () => ({ offset: { decimal: SLOT.decimal, hex: SLOT.hex }, address: `0x${SLOT.address}` })

/** Bytes of answers that are handed out at once. */
const PIECE = 1 << 18

/** Looks up and writes down. */
export class AnswerWriter {
  readonly #symbols: SymbolTable
  readonly #form: AnswerForm
  readonly #unanswered: Unanswered
  readonly #phrases: PhraseHeap
  readonly #out = new PhraseWriter()

  constructor(symbols: SymbolTable, form: AnswerForm, unanswered: Unanswered) {
    this.#symbols = symbols
    this.#form = form
    this.#unanswered = unanswered
    this.#phrases = new PhraseHeap(symbols.size, (id) => form(this.#answerOf(symbols.at(symbols.addressOf(id)))))
  }

  /** The answers to a batch of questions, in their order, in pieces. */
  *answers({ addresses, names, nowhere }: PastedBatch): Generator<Uint8Array> {
    const symbols = this.#symbols
    const { ids, offsets } = symbols.findMany(addresses)
    const halves = new Uint32Array(addresses.buffer, addresses.byteOffset, addresses.length * 2)
    const phrases = this.#phrases
    const out = this.#out
    const special = names.size > 0
    for (let i = 0; i < addresses.length; i++) {
      const id = ids[i]!
      const query = special ? names.get(i) : undefined
      if (query === undefined && id !== NO_SYMBOL && symbols.isAlone(id, offsets[i]!)) {
        const start = phrases.of(id)
        out.write(phrases.heap, start, phrases.endOf(start), halves[2 * i + 1]!, halves[2 * i]!, offsets[i]!)
        this.#unanswered.answered()
      } else out.put(Buffer.from(this.#other(addresses[i]!, query, special ? nowhere.get(i) : undefined)))
      if (out.length >= PIECE) yield out.take()
    }
    if (out.length > 0) yield out.take()
  }

  /** The answer to a question that has more to it than a symbol and an offset. */
  #other(address: bigint, query: string | undefined, nowhere: NoPlace | undefined): string {
    const match = nowhere === undefined ? this.#symbols.at(address) : undefined
    const reason = match === undefined ? (nowhere ?? this.#symbols.reasonFor(address)) : undefined
    const where = nowhere === undefined ? formatAddress(address) : undefined
    if (reason === undefined) this.#unanswered.answered()
    else this.#unanswered.missed(printable(query ?? where ?? ''), reason)
    return this.#form({
      ...this.#answerOf(match, true),
      query,
      address: where,
      reason,
      hole: reason && this.#holeAt(address, reason),
    })
  }

  /** Whose memory lies where no symbol is known because nothing of its owner is. */
  #holeAt(address: bigint, reason: NothingReason | NoPlace): string | undefined {
    return isHole(reason) ? this.#symbols.ownerAt(address) : undefined
  }

  /** `exact`: with its offsets, not with slots for them. */
  #answerOf(match: SymbolMatch | undefined, exact = false): Answer {
    const offsetOf = (offset: number) =>
      exact ? { decimal: String(offset), hex: offset.toString(16) } : slots().offset
    return {
      query: undefined,
      address: slots().address,
      found: match?.candidates.map(({ symbol, offset }) => ({ symbol, offset: offsetOf(offset) })) ?? [],
      size: match?.size,
      aliases: match?.aliases ?? [],
      reason: undefined,
    }
  }
}
