// Entries, books and layouts that anybody may have written: at worst they give wrong answers. Nothing but typed errors is thrown, nothing
// goes on without end, and memory stays bounded.

import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../bench/lib/random.ts'
import { type Book, bookHeaderLength, bookOf, decodeBook, encodeBook } from '../../src/catalog/book.ts'
import { type BuildEntry, decodeEntry, encodeEntry, gathered } from '../../src/catalog/entry.ts'
import { decodeLayout, encodeLayout, type HostLayout, layoutOf } from '../../src/catalog/layout.ts'
import { pack, unpack } from '../../src/catalog/packed.ts'
import { splitHost } from '../../src/catalog/split.ts'
import { KerndexError } from '../../src/core/errors.ts'
import { placeLayout } from '../../src/load/place-layout.ts'
import { Reader } from '../../src/reader.ts'
import { parseIdentities, parseModules } from '../../src/sources/facts.ts'
import { parseModuleSections } from '../../src/sources/module-sections.ts'
import { carryOut, Workspace } from '../../src/symbols/workspace.ts'

const KERNEL = 'aabbccddeeff00112233'
const TEXT = [
  '0000000000000000 A __per_cpu_start',
  '0000000000001000 A cpu_number',
  'ffffffff81000000 T _text',
  'ffffffff81000000 T _stext',
  'ffffffff81000010 T first',
  'ffffffff81000040 t second',
  'ffffffff81002000 T _etext',
  'ffffffff81003000 D data',
  'ffffffff81004000 B _end',
  'ffffffffc0000000 t mod_init\t[mod]',
  'ffffffffc0000040 T mod_run\t[mod]',
  'ffffffffc0002010 d mod_data\t[mod]',
  '0000000000035000 a mod_percpu\t[mod]',
  'ffffffffc0010000 t other_run\t[other]',
  'ffffffffc0012000 r other_table\t[other]',
  'ffffffffc0020000 t bpf_prog_6deef7357e7b4530\t[bpf]',
  '',
].join('\n')
const MODULES = 'mod 16384 0 - Live 0xffffffffc0000000\nother 16384 0 - Live 0xffffffffc0010000\n'
const SECTIONS =
  'mod .text 0xffffffffc0000000\nmod .rodata 0xffffffffc0001000\nmod .data 0xffffffffc0002000\n' +
  'other .text 0xffffffffc0010000\nother .rodata 0xffffffffc0012000\n'

const told = {
  kernel: KERNEL,
  release: '6.1.0-test',
  modules: parseModules(Buffer.from(MODULES)),
  sections: parseModuleSections(Buffer.from(SECTIONS)),
  identities: parseIdentities(Buffer.from('mod 0011223344 - live -\nother - ABCDEF live O\n')),
}
const host = splitHost(TEXT, told)
const entries: readonly BuildEntry[] = [host.vmlinux, ...host.modules]
const layout: HostLayout = layoutOf({
  buildId: KERNEL,
  bootId: '3f1b1e1c-0000-4000-8000-000000000000',
  release: told.release,
  architecture: 'x86_64',
  anchor: host.anchor,
  modules: told.modules,
  sections: told.sections,
  identities: told.identities,
  dynamic: TEXT.split('\n').filter((line) => line.endsWith('[bpf]')),
  taken: new Date(0),
  generation: 1,
})

function makeBook(given: readonly BuildEntry[]): Book {
  const workspace = Workspace.open()
  try {
    return carryOut(bookOf(workspace, KERNEL, given), workspace)
  } finally {
    workspace.release()
  }
}

const book = makeBook(entries)

/** Asks a host all that there is to ask. */
async function use(books: readonly Book[], given: HostLayout): Promise<string[]> {
  const handle = await placeLayout(books, given, 'a test', 1)
  if (handle === undefined) return []
  const { symbols } = new Reader(handle)
  const answers: string[] = []
  for (const address of [0x10n, 0xffffffff81000018n, 0xffffffffc0000044n, 0xffffffffc0010001n, 0xffffffffc0020001n]) {
    const match = symbols.at(address)
    answers.push(
      match === undefined ? symbols.reasonFor(address) : `${match.symbol.name}+${match.offset} [${match.symbol.owner}]`,
    )
    symbols.ownerAt(address)
  }
  symbols.findMany(BigUint64Array.from({ length: 64 }, (_, i) => 0xffffffff80ffff00n + BigInt(i * 64)))
  for (const name of ['first', 'mod_run', 'bpf_prog_6deef7357e7b4530', 'mod_percpu']) symbols.named(name)
  for (let id = 0; id < Math.min(64, symbols.size); id++) symbols.get(id).toJSON()
  for (const _ of symbols.scan('*o*')) answers.push('')
  symbols.census()
  return answers
}

const ROUNDS = process.env.KERNDEX_LONG === '1' ? 5000 : 150

/** Bytes changed in a few places: flipped, repeated, cut out, exchanged; digits for digits, so that more of it is read. */
function mutate(bytes: Buffer, below: (n: number) => number): Buffer {
  let changed = Buffer.from(bytes)
  for (let i = 1 + below(3); i > 0 && changed.length > 0; i--) {
    const at = below(changed.length)
    const length = 1 + below(Math.min(24, changed.length - at))
    const part = changed.subarray(at, at + length)
    const between = [
      () => Buffer.from('0123456789abcdef-,"[] \n'.charAt(below(23))),
      () => Buffer.from('f'.repeat(1 + below(20))),
      () => Buffer.alloc(0),
      () => Buffer.concat(new Array<Buffer>(2 + below(60)).fill(Buffer.from(part))),
      () => Buffer.from([below(256)]),
    ][below(5)]!()
    changed = Buffer.concat([changed.subarray(0, at), between, changed.subarray(at + length)])
  }
  return changed
}

/** Uses each of many mutations; nothing but typed errors may come of it. */
async function campaign(seed: number, bytes: Buffer, run: (mutated: Buffer) => Promise<unknown>): Promise<void> {
  const below = seededRandom(seed)
  for (let round = 0; round < ROUNDS; round++) {
    const mutated = mutate(bytes, below)
    await run(mutated).catch((error: unknown) => {
      expect(error, `round ${round} of ${seed}: ${error instanceof Error ? error.stack : error}`).toBeInstanceOf(
        KerndexError,
      )
    })
  }
}

describe('what anybody may have written', () => {
  it('answers rightly where nothing is changed', async () => {
    const answers = await use([book], decodeLayout(encodeLayout(layout)))
    expect(answers.slice(0, 5)).toEqual([
      'user',
      'first+8 [vmlinux]',
      'mod_run+4 [mod]',
      'other_run+1 [other]',
      'bpf_prog_6deef7357e7b4530+1 [bpf]',
    ])
    expect(entries.map((entry) => decodeEntry(encodeEntry(entry)))).toEqual(entries)
  })

  it('entries, damaged', async () => {
    for (const [i, entry] of entries.entries()) {
      await campaign(10 + i, encodeEntry(entry), async (mutated) => makeBook([decodeEntry(mutated)]))
    }
  })

  it('entries with right checksums', async () => {
    for (const [i, entry] of entries.entries()) {
      const text = unpack('entry', encodeEntry(entry))
      await campaign(20 + i, text, async (mutated) => {
        const changed = decodeEntry(pack('entry', mutated))
        await use([makeBook([...entries.filter((_, at) => at !== i), changed])], layout)
      })
    }
  })

  it('layouts, damaged, and with right checksums', async () => {
    const bytes = encodeLayout(layout)
    await campaign(30, bytes, async (mutated) => use([book], decodeLayout(mutated)))
    await campaign(31, unpack('layout', bytes), async (mutated) => use([book], decodeLayout(pack('layout', mutated))))
  })

  it('books with right checksums', async () => {
    const below = seededRandom(40)
    const again = (given: Book, from: Uint8Array) => {
      const [header, table] = encodeBook({ ...given, table: { ...given.table, buffer: from.buffer } as Book['table'] })
      const shared = (part: Uint8Array) => {
        const copy = new SharedArrayBuffer(part.length)
        new Uint8Array(copy).set(part)
        return copy
      }
      expect(bookHeaderLength(header)).toBe(header.length)
      return decodeBook(shared(header), shared(table), false)
    }
    for (let round = 0; round < ROUNDS * 2; round++) {
      const rows = book.rows.slice()
      const claims = book.claims.slice()
      const table = Buffer.from(new Uint8Array(book.table.buffer))
      for (let i = 1 + below(4); i > 0; i--) {
        const value = [0, 1, 0xffff_ffff, 0x8000_0000, below(2 ** 32), below(64)][below(6)]!
        const which = below(3)
        if (which === 0) rows[below(rows.length)] = value
        else if (which === 1) claims[below(claims.length)] = value
        else table.writeUInt32LE(value, 4 * below(table.length / 4))
      }
      const copy = new Uint8Array(new SharedArrayBuffer(table.length))
      copy.set(table)
      try {
        await use([again({ ...book, rows, claims }, copy)], layout)
      } catch (error) {
        expect(error, `round ${round}: ${error instanceof Error ? error.stack : error}`).toBeInstanceOf(KerndexError)
      }
    }
  })
})

describe('what claims to be larger than anything is', () => {
  const head = JSON.parse(
    unpack('entry', encodeEntry(host.modules[0]!)).toString('latin1').split('\n', 1)[0]!,
  ) as object
  const entry = (first: string, rest = '') => pack('entry', Buffer.from(`${first}\n${rest}`, 'latin1'))

  it('is refused before it costs memory', () => {
    const deep = '['.repeat(1 << 22)
    expect(() => decodeEntry(entry(deep))).toThrow(expect.objectContaining({ code: 'LIMIT' }))
    const long = `0 0 t ${'a'.repeat(70_000)}\n`
    expect(() => decodeEntry(entry(JSON.stringify(head), long))).toThrow(
      expect.objectContaining({ code: 'BAD_FORMAT' }),
    )
    const many = pack('layout', Buffer.alloc((1 << 24) + 1, '['))
    expect(() => decodeLayout(many)).toThrow(expect.objectContaining({ code: 'LIMIT' }))
  })

  it('is counted over all entries of a kernel', () => {
    const names = new Array<string>(1 << 17).fill('a'.repeat(1000))
    const { symbols, ...rest } = host.modules[0]!
    const large = { ...rest, symbols: { ...symbols, names } }
    expect(gathered([large]).length).toBe(1)
    let asked = 0
    function* endless() {
      for (; ; asked++) yield large
    }
    expect(() => gathered(endless())).toThrow(expect.objectContaining({ code: 'LIMIT' }))
    expect(asked).toBeLessThan(4)
  })
})
