// Validation: the verdicts of the kernel's own table of BTF blobs, wording included; real blobs pass.
import { describe, expect, test } from 'vitest'
import { layoutOf } from '../../src/btf/ask/layout.ts'
import { dumpC } from '../../src/btf/print/c-dump.ts'
import { dumpRaw } from '../../src/btf/print/raw.ts'
import { indexTypes } from '../../src/btf/read/index-types.ts'
import { decodeType } from '../../src/btf/read/type.ts'
import { TypeSet } from '../../src/btf/read/type-set.ts'
import { type CheckBase, checkBtf } from '../../src/btf/verify/check.ts'
import { KerndexError } from '../../src/core/errors.ts'
import { BtfBuilder } from './builder.ts'
import { blob, debian, fixture, MODULES, plainFixture, shapeOf, shared } from './fixtures.ts'

interface KernelTest {
  n: number
  file: string
  descr: string
  expect_load_err: boolean
  err_str: string
}

const kernelTests: KernelTest[] = JSON.parse(plainFixture('kernel-raw-tests/index.json').toString())

describe('the kernel’s table of blobs', () => {
  test.each(kernelTests.map((each): [string, KernelTest] => [`${each.n} ${each.descr}`, each]))('%s', (_, each) => {
    const bytes = shared(plainFixture(`kernel-raw-tests/${each.file}`))
    const { ok, errors } = checkBtf(bytes, { strict: true })
    expect({ ok, errors }).toMatchObject({ ok: !each.expect_load_err })
    if (each.err_str !== '') expect(errors[0]!.message).toContain(each.err_str)
    const loose = checkBtf(bytes)
    if (ok) expect(loose).toEqual({ ok: true, errors: [] })
    if (loose.ok) useEverything(bytes)
  })
})

/** Dumps a blob in every way; typed refusals are fine. */
function useEverything(bytes: Uint8Array<SharedArrayBuffer>): void {
  const set = new TypeSet(indexTypes([{ name: 'x', bytes }]).records[0]!)
  const attempt = (run: () => void) => {
    try {
      run()
    } catch (error) {
      if (!(error instanceof KerndexError)) throw error
    }
  }
  attempt(() => [...dumpRaw(set)])
  attempt(() => [...dumpC(set)])
  attempt(() => [...dumpC(set, { order: 'ids' })])
  for (let id = 0; id < set.endId; id++) {
    attempt(() => decodeType(set, id))
    attempt(() => layoutOf(set, id))
  }
}

describe('real blobs', () => {
  const vmlinux = debian().set('vmlinux')!
  const base: CheckBase = { set: vmlinux, shape: shapeOf(vmlinux) }

  test('vmlinux passes both checks', () => {
    expect(checkBtf(blob('deb61/vmlinux'), { strict: true })).toEqual({ ok: true, errors: [] })
  })

  test.each(MODULES)('module %s passes both checks', (name) => {
    expect(checkBtf(blob(`deb61/mod/${name}`), { base, strict: true })).toEqual({ ok: true, errors: [] })
  })

  test.each(['all-kinds-be', 'vlen24', 'multi-base'])('synthetic %s', (name) => {
    expect(checkBtf(blob(`synthetic/${name}`)).ok).toBe(true)
  })

  test('a module without its base is refused', () => {
    const { ok, errors } = checkBtf(blob('deb61/mod/veth'))
    expect(ok).toBe(false)
    expect(errors[0]!.message).toContain('split BTF without its base')
  })
})

describe('rules the kernel added or dropped', () => {
  const check = (builder: BtfBuilder) => checkBtf(builder.build(), { strict: true })

  test('type tags may follow qualifiers', () => {
    const builder = new BtfBuilder()
    builder.ptr(builder.const(builder.typeTag('user', builder.int('int', 4))))
    expect(check(builder).ok).toBe(true)
  })

  test('attributes set the kind flag of tags', () => {
    const builder = new BtfBuilder()
    const int = builder.int('int', 4)
    builder.typeTag('address_space(1)', int, true)
    builder.declTag('unused', builder.struct('s', 0, []), -1, true)
    expect(check(builder).ok).toBe(true)
  })

  test('a chain of 32 modifiers is the longest', () => {
    for (const [links, ok] of [
      [32, true],
      [33, false],
    ] as const) {
      const builder = new BtfBuilder()
      let at = builder.int('int', 4)
      for (let i = 0; i < links; i++) at = builder.const(at)
      expect(check(builder).ok, String(links)).toBe(ok)
    }
  })

  test('all errors of records are listed, with type and name', () => {
    const builder = new BtfBuilder()
    builder.int('int', 4, 0, 64)
    builder.float('bad', 3)
    expect(check(builder).errors).toEqual([
      { typeId: 1, kind: 'INT', name: 'int', message: 'nr_bits exceeds type_size' },
      { typeId: 2, kind: 'FLOAT', name: 'bad', message: 'Invalid type_size' },
    ])
  })

  test('header bytes beyond those known must be zero', () => {
    const bytes = fixture('synthetic/multi-base.btf')
    const longer = Buffer.concat([bytes.subarray(0, 32), Buffer.alloc(8), bytes.subarray(32)])
    longer.writeUInt32LE(40, 4)
    expect(checkBtf(shared(longer), { strict: true }).ok).toBe(true)
    longer[33] = 1
    expect(checkBtf(shared(longer), { strict: true }).errors[0]!.message).toBe('Unsupported btf_header')
    expect(checkBtf(shared(longer)).ok).toBe(true)
  })
})
