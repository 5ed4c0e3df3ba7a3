// Lookups by name: in bulk against one by one, by owner, by pattern, with suffixes, and the forms that require one answer.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AmbiguousError, NotFoundError, UsageError } from '../../src/core/errors.ts'
import { packNames } from '../../src/symbols/lookup-names.ts'
import { NO_SYMBOL } from '../../src/symbols/search.ts'
import type { KernelSymbol } from '../../src/symbols/symbol.ts'
import { edge, fixtureBytes } from '../fixtures.ts'
import { same } from '../same.ts'
import { tableOf } from './build-table.ts'
import { inOrder, readPlainly } from './plain-table.ts'

const text = fixtureBytes('debian-6.1-amd64/kallsyms.gz')
const table = tableOf(text)
const { symbols: plain } = readPlainly(text)
const small = tableOf(edge('edge'))
const addresses = (symbols: readonly KernelSymbol[]) => symbols.map(({ address }) => address.toString(16))

describe('in bulk', () => {
  it('gives for every name what a Map over the text gives, in file order', () => {
    const byName = new Map<string, string[]>()
    for (const { name, address, owner } of plain) {
      const list = byName.get(name) ?? []
      list.push(`${address.toString(16)} ${owner}`)
      byName.set(name, list)
    }
    const names = [...byName.keys()].flatMap((name) => [name, `${name}x`, name.slice(1)])
    const { starts, ids } = table.namedMany(names)
    names.forEach((name, i) => {
      const found = Array.from(ids.subarray(starts[i], starts[i + 1]), (id) => {
        const { address, owner } = table.get(id)
        return `${address.toString(16)} ${owner}`
      })
      same(found, byName.get(name) ?? [], () => name)
    })
  })

  it('takes names of any bytes', () => {
    const names = ['é', '__kstrtab_名', 'bad_\udcff\udcfe', 'x'.repeat(300), '', 'a'.repeat(5_000)]
    const odd = tableOf(
      Buffer.concat(
        ['é', '__kstrtab_名', 'x'.repeat(300)]
          .map((name) => Buffer.from(`ffffffff81000000 t ${name}\n`))
          .concat(Buffer.from('ffffffff81000000 t bad_\xff\xfe\n', 'latin1')),
      ),
    )
    const { starts } = odd.namedMany(names)
    expect(Array.from(starts)).toEqual([0, 1, 2, 3, 4, 4, 4])
    expect(odd.namedMany(packNames(names), 1, 3).ids).toHaveLength(2)
  })

  it('answers exact addresses with the first alias and their number', () => {
    const sorted = inOrder(plain)
    const asked = sorted.flatMap(({ address }) => [address, address + 1n])
    const { ids, counts } = table.startingAtMany(BigUint64Array.from(asked))
    asked.forEach((address, i) => {
      const all = table.startingAt(address)
      same([counts[i], ids[i]], [all.length, all[0]?.id ?? NO_SYMBOL])
    })
  })
})

describe('a name that repeats 2,000 times', () => {
  const lines = []
  for (let i = 0; i < 2_000; i++) lines.push(`${(0xffffffff81000000n + BigInt(i)).toString(16)} d __func__.0`)
  for (let i = 0; i < 2_000; i++) lines.push(`${(0xffffffff82000000n + BigInt(i)).toString(16)} t single_${i}`)
  const repeated = tableOf(`${lines.join('\n')}\n`)

  it('is found whole and in file order; the others cost no more for it', () => {
    const found = repeated.named('__func__.0')
    expect(found).toHaveLength(2_000)
    expect(found.map(({ id }) => id)).toEqual(Array.from({ length: 2_000 }, (_, id) => id))
    expect(repeated.named('single_7')).toHaveLength(1)
  })
})

describe('by owner', () => {
  it('asks for one module, or for the core', () => {
    expect(addresses(small.named('dupname'))).toEqual(['ffffffffc0100040', 'ffffffffc0080040'])
    expect(addresses(small.named('dupname', { owner: 'mod_b' }))).toEqual(['ffffffffc0080040'])
    expect(small.named('dupname', { owner: 'vmlinux' })).toEqual([])
    expect(small.named('dupname', { owner: 'mod' })).toEqual([])
    expect(small.require('mod_a:dupname').address).toBe(0xffffffffc0100040n)
    expect(small.require('vmlinux:_stext').name).toBe('_stext')
  })

  it('tells whose memory an address is, and says hidden where nobody is known', () => {
    expect(small.ownerAt(0xffffffffc0100024n)).toBe('mod_a')
    expect(small.ownerAt(0xffffffff81000018n)).toBe('vmlinux')
    expect(small.ownerAt(0xffffffffc0000210n)).toBe('bpf')
    expect(small.ownerAt(0xffffffffd0000000n)).toBe('hidden')
    expect(small.ownerAt(0x10n)).toBe('hidden')
  })
})

describe('forms that require one answer', () => {
  it('say that there is none', () => {
    expect(() => small.require('nothing')).toThrow(NotFoundError)
    expect(() => small.require('mod_b:mod_a_fn1')).toThrow(NotFoundError)
    expect(() => small.requireStartingAt(0xffffffff81000001n)).toThrow(NotFoundError)
    expect(() => small.requireAt(0x10n)).toThrow(/user/)
  })

  it('say that there are several, and which', () => {
    const caught = (run: () => unknown): AmbiguousError<KernelSymbol> => {
      try {
        run()
      } catch (error) {
        if (error instanceof AmbiguousError) return error
      }
      throw new Error('nothing ambiguous')
    }
    const byName = caught(() => small.require('dupname'))
    expect(byName.candidates.map(({ owner }) => owner)).toEqual(['mod_a', 'mod_b'])
    expect(byName.message).toMatch(/dupname \[mod_a\] 0xffffffffc0100040/)
    expect(caught(() => small.requireStartingAt(0xffffffff81000000n)).candidates).toHaveLength(3)
    expect(caught(() => small.requireAt(0xffffffffc0100024n)).candidates.map(({ name }) => name)).toEqual([
      'mod_a_fn1',
      'freed_init',
    ])
  })

  it('refuse what is no address', () => {
    expect(() => small.at(-1n)).toThrow(UsageError)
    expect(() => small.startingAt(1n << 64n)).toThrow(UsageError)
    expect(() => small.get(small.size)).toThrow(UsageError)
    expect(() => small.get(-1)).toThrow(UsageError)
  })
})

describe('patterns', () => {
  const named = (found: Iterable<KernelSymbol>) => Array.from(found, ({ name }) => name)

  it('match whole names as globs, or anywhere as regular expressions', () => {
    expect(named(small.matching('f_*'))).toEqual(['f_global', 'f_weak', 'f_small', 'f_big_gap'])
    expect(named(small.matching('?_weak'))).toEqual(['f_weak'])
    expect(named(small.matching(/^f_(big|small)/))).toEqual(['f_small', 'f_big_gap'])
    expect(named(small.matching(/name$/g))).toEqual(['dupname', 'dupname'])
    expect(named(small.matching('*', { owner: 'mod_[ab]' }))).toHaveLength(6)
    expect(named(small.matching('dup*', { owner: /a$/ }))).toEqual(['dupname'])
  })

  it('find every name that a backtracking matcher finds', () => {
    const names = plain.map(({ name }) => name)
    for (const glob of ['*_read', '*alloc', '*a', 'vfs_*', '*[0-9]', '??', '*_*_*_*_*_*_*_*', '*.cold']) {
      const pattern = new RegExp(`^${glob.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.')}$`)
      expect(named(table.matching(glob)).sort(), glob).toEqual(names.filter((name) => pattern.test(name)).sort())
    }
  })

  it('cannot be made to change the table', () => {
    const before = Buffer.from(Buffer.from(small.buffer))
    for (const symbol of small) {
      expect(() => Object.assign(symbol, { name: 'other' })).toThrow()
      expect(() => Object.assign(symbol, { address: 1n })).toThrow()
    }
    expect(Buffer.from(small.buffer).equals(before)).toBe(true)
  })
})

describe('suffixes', () => {
  it('are matched only when asked for, and only a compiler’s', () => {
    expect(small.named('foo')).toEqual([])
    expect(addresses(small.named('foo', { suffixes: true }))).toEqual(['ffffffff81400040'])
    expect(small.named('foo.llvm.123456789')).toHaveLength(1)
    expect(small.named('bar')).toEqual([])
    expect(small.named('bar', { suffixes: true }).map(({ name }) => name)).toEqual(['bar.isra.0', 'bar.cold'])
  })

  it('are found as by reading all names', () => {
    const variant = /^(.*?)(?:\.(?:llvm\.\d+|isra\.\d+|constprop\.\d+|part\.\d+|cold(?:\.\d+)?))+$/
    const names = new Map<string, string[]>()
    for (const { name } of plain) {
      const base = variant.exec(name)?.[1] ?? name
      names.set(base, [...(names.get(base) ?? []), name])
    }
    const bases = [...names.keys()].filter((_, i) => i % 200 === 0)
    for (const base of [...bases, 'vfs_read', '__pfx_vfs_read']) {
      const found = table.named(base, { suffixes: true })
      expect(found.map(({ name }) => name).sort()).toEqual(names.get(base)?.sort() ?? [])
      expect(found.map(({ id }) => id)).toEqual(found.map(({ id }) => id).sort((a, b) => a - b))
    }
  })

  it('are found in all their combinations', () => {
    const suffix = fc.constantFrom('.isra.0', '.constprop.12', '.part.3', '.cold', '.llvm.987654321', '.lto_priv.0')
    fc.assert(
      fc.property(fc.array(suffix, { maxLength: 4 }), fc.constantFrom('fn', '__pfx_fn', 'x'), (suffixes, base) => {
        const name = base + suffixes.join('')
        const one = tableOf(`ffffffff81000000 t ${name}\nffffffff81000010 t ${base}_other\n`)
        expect(one.named(base, { suffixes: true }).map((symbol) => symbol.name)).toEqual([name])
      }),
    )
    const none = tableOf('ffffffff81000000 t fn.other\nffffffff81000010 t fn.isra\nffffffff81000020 t fn.isra.0x\n')
    expect(none.named('fn', { suffixes: true })).toEqual([])
  })
})

describe('ranges', () => {
  it('give the symbols that start in them, and the place of an address', () => {
    const names = (start: bigint, end: bigint) => Array.from(small.range(start, end), ({ name }) => name)
    expect(names(0xffffffff81000010n, 0xffffffff81000050n)).toEqual(['f_global', 'f_weak', '__f_local', 'f_small'])
    expect(names(0n, 0x1001n)).toEqual(['fixed_percpu_data', 'cpu_debug_store'])
    expect(names(0xffffffff81000050n, 0xffffffff81000050n)).toEqual([])
    expect(small.lowerBound(0xffffffff81000000n)).toEqual({ id: 3, found: true })
    expect(small.lowerBound(0xffffffff81000001n)).toEqual({ id: 6, found: false })
    expect(small.lowerBound(0n)).toEqual({ id: 0, found: true })
    expect(small.lowerBound(0xffffffffffffffffn)).toEqual({ id: small.size, found: false })
  })

  it('agree with a linear search', () => {
    const sorted = inOrder(readPlainly(edge('edge')).symbols).map(({ address }) => address)
    const near = sorted.flatMap((address) => [address, address + 1n, address === 0n ? 0n : address - 1n])
    for (const address of [...near, 0xffff_ffffn, 0x1_0000_0000n]) {
      const at = sorted.findIndex((other) => other >= address)
      expect(small.lowerBound(address)).toEqual({ id: at < 0 ? sorted.length : at, found: sorted[at] === address })
    }
  })
})
