// Names in BTF that hold line ends and control characters: in nothing that is printed for people do they make a line, and none
// reaches a terminal as it is.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { plainDeclarations } from '../../src/btf/print/c-declare.ts'
import { dumpC } from '../../src/btf/print/c-dump.ts'
import { printLayout } from '../../src/btf/print/layout.ts'
import { dumpRaw } from '../../src/btf/print/raw.ts'
import { indexTypes } from '../../src/btf/read/index-types.ts'
import { TypeSet } from '../../src/btf/read/type-set.ts'
import { Types } from '../../src/btf/types.ts'
import { checkBtf } from '../../src/btf/verify/check.ts'
import { kerndexes, type Outcome } from '../cli/run.ts'
import { BtfBuilder } from './builder.ts'

/** A set with a name at every place that can have one, each with the same text in it. */
function setWith(text: string): Uint8Array<SharedArrayBuffer> {
  const b = new BtfBuilder()
  // The builder takes bytes.
  const name = (what: string) => Buffer.from(`${what}${text}`).toString('latin1')
  const int = b.int(name('int'), 4)
  b.float(name('float'), 4)
  const inner = b.struct('', 4, [{ name: name('deep'), type: int }])
  const struct = b.struct(name('s'), 12, [
    { name: name('a'), type: int },
    { name: name('in'), type: inner, offset: 32 },
    { name: name('bits'), type: int, offset: 64, bits: 3 },
  ])
  b.union(name('u'), 4, [{ name: name('m'), type: int }])
  b.enum(name('e'), 4, { [name('one')]: 1 })
  b.enum64(name('e64'), 8, { [name('two')]: 2n })
  b.struct('holder', 4, [{ name: 'member', type: int }])
  b.fwd(name('fwd'))
  const typedef = b.typedef(name('t'), struct)
  const tagged = b.ptr(b.typeTag(name('tag'), typedef))
  const proto = b.proto(tagged, [{ name: name('p'), type: typedef }])
  const func = b.func(name('f'), proto, 1)
  b.declTag(name('note'), func)
  b.declTag('bpf_kfunc', func)
  const variable = b.var(name('v'), int, 1)
  b.datasec(name('.data'), 4, [{ type: variable, offset: 0, size: 4 }])
  return b.build()
}

const HOSTILE = '\n(1) FORGED\r\t\u001b]0;x\u009b31m'
const PLAIN = '_plain'
const folder = mkdtempSync(join(tmpdir(), 'kerndex-names-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** As many lines as with plain names, and nothing in them that a terminal acts on. */
function expectAlike(hostile: string, plain: string): void {
  expect(plain).toContain(PLAIN)
  expect(hostile.split('\n').length).toBe(plain.split('\n').length)
  // Tabs stand where the printers put them, at the beginning of a line.
  for (const line of hostile.split('\n')) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(line.replace(/^\t+/, '')).not.toMatch(/[\0-\x1f\x7f-\x9f]/)
  }
}

const PRINTERS: Readonly<Record<string, (types: Types, set: TypeSet) => Iterable<string>>> = {
  raw: (_, set) => dumpRaw(set),
  C: (_, set) => dumpC(set),
  'C in the order of ids': (_, set) => dumpC(set, { order: 'ids' }),
  layouts: (_, set) => ['s', 'u'].map((what) => printLayout(set, idOf(set, what))),
  prototypes: (types) => Array.from(types.functions('*'), ({ prototype }) => prototype),
}

function idOf(set: TypeSet, what: string): number {
  for (let id = set.firstId; id < set.endId; id++) {
    if (set.nameOf(id) === `${what}${PLAIN}` || set.nameOf(id) === `${what}${HOSTILE}`) return id
  }
  throw new Error(what)
}

it.each(Object.keys(PRINTERS))('%s', (what) => {
  const printed = (text: string) => {
    const { records } = indexTypes([{ name: 'vmlinux', bytes: setWith(text) }])
    const types = new Types(records)
    return [...PRINTERS[what]!(types, types.requireSet('vmlinux'))].join('\n')
  }
  expectAlike(printed(HOSTILE), printed(PLAIN))
})

it('that are long and shared by many types make neither text without end nor a check without end', () => {
  const name = 'y'.repeat(20_000)
  const built = (add: (b: BtfBuilder) => void) => {
    const b = new BtfBuilder()
    for (let i = 0; i < 20_000; i++) add(b)
    const bytes = b.build()
    return { bytes, set: new TypeSet(indexTypes([{ name: 'vmlinux', bytes }]).records[0]!) }
  }
  const { bytes, set } = built((b) => b.func(name, 0))
  const { set: typedefs } = built((b) => b.typedef(name, 0))
  const { set: values } = built((b) => b.enum('e', 4, { [name]: 0 }))
  const drain = (text: Iterable<string>) => {
    for (const _ of text);
  }
  const texts = [
    () => dumpRaw(set),
    () => dumpC(typedefs),
    () => dumpC(typedefs, { order: 'ids' }),
    () => dumpC(values, { order: 'ids' }),
  ]
  for (const text of texts) expect(() => drain(text())).toThrow(expect.objectContaining({ code: 'LIMIT' }))
  // A header has no functions but kfuncs.
  expect([...dumpC(set)].join('').length).toBeLessThan(name.length)
  // The first hundred are listed, and names have at most 128 bytes.
  const { ok, errors } = checkBtf(bytes, { strict: true })
  expect([ok, errors.length, errors[0]?.message]).toEqual([false, 100, 'Invalid name'])
})

it('a type out of all proportion keeps no other from being printed', () => {
  const b = new BtfBuilder()
  const byte = b.int('char', 1)
  const wide = b.struct('wide', 0xfffffff0, [{ name: 'first', type: byte }])
  const values = b.enum('e', 4, { one: 1 })
  const set = new TypeSet(indexTypes([{ name: 'vmlinux', bytes: b.build() }]).records[0]!)
  const declarations = plainDeclarations(set)
  for (const print of [() => declarations.structDefinition(wide, 0), () => [...dumpC(set)]]) {
    expect(print).toThrow(expect.objectContaining({ code: 'LIMIT' }))
  }
  expect(declarations.enumDefinition(values, 0)).toBe('enum e {\n\tone = 1,\n}')
})

it('the commands', async () => {
  const paths = [HOSTILE, PLAIN].map((text, i) => {
    const path = join(folder, `${i}.btf`)
    writeFileSync(path, setWith(text))
    return path
  })
  const empty = join(folder, 'empty.btf')
  writeFileSync(empty, new BtfBuilder().build())
  const names = ['int', 's', 'u', 'e', 'e64', 'fwd', 't', 'f', 'v']
  const lines = paths.map((path, i) => {
    const text = i === 0 ? HOSTILE : PLAIN
    return [
      ...names.map((what) => ['type', `${what}${text}`, '--from', path]),
      ['type', 'holder.member', '--from', path],
      ['function', '*', '--params', '--from', path],
      ['btf', 'dump', path],
      ['btf', 'dump', path, '--format', 'c'],
      ['btf', 'diff', empty, path],
      ['btf', 'check', path],
    ]
  })
  const [hostile, plain]: Outcome[][] = [await kerndexes(lines[0]!), await kerndexes(lines[1]!)]
  for (const [i, { stdout }] of hostile!.entries()) {
    if (lines[1]![i]![1] !== 'check') expectAlike(stdout, plain![i]!.stdout)
    expect(stdout.split('\n').length).toBe(plain![i]!.stdout.split('\n').length)
  }
  // JSON has its own way to say them, and stays JSON.
  const [json] = await kerndexes([['btf', 'dump', paths[0]!, '--format', 'json']])
  const all = json!.stdout.trimEnd().split('\n')
  expect(all.map((line) => JSON.parse(line)).filter(({ name }) => name?.includes(HOSTILE)).length).toBeGreaterThan(9)
})
