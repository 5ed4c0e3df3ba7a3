// CO-RE: the 13 kinds of relocation, by libbpf's rules, and BPF objects checked against a kernel.
import { describe, expect, test } from 'vitest'
import { essentialName } from '../../src/btf/read/flavour.ts'
import { indexTypes, readShape } from '../../src/btf/read/index-types.ts'
import { checkObject } from '../../src/btf/relocate/check-object.ts'
import { type RelocationResult, Relocator } from '../../src/btf/relocate/core-relocate.ts'
import { RELOCATION_KINDS, type RelocationKind } from '../../src/btf/relocate/core-spec.ts'
import { Types } from '../../src/btf/types.ts'
import { writeElf } from '../core/elf-writer.ts'
import { BtfBuilder } from './builder.ts'
import { debian, oneSet } from './fixtures.ts'

/** A program's types and a kernel's, and the relocations between them. */
function relocator(
  local: BtfBuilder,
  ...kernel: BtfBuilder[]
): (kind: RelocationKind, typeId: number, access?: string) => RelocationResult {
  const [vmlinux, ...modules] = kernel.map((each) => each.build())
  const types = new Types([
    ...indexTypes([{ name: 'vmlinux', bytes: vmlinux! }]).records,
    ...indexTypes(
      modules.map((bytes, i) => ({ name: `m${i}`, bytes })),
      readShape(vmlinux!),
    ).records,
  ])
  const core = new Relocator(oneSet('object', local.build()), types)
  return (kind, typeId, access = '0') => core.relocate({ kind, typeId, access })
}

/** struct task { int pid; long flags; } with members at given offsets and sizes. */
function task(builder: BtfBuilder, name: string, pidOffset: number): number {
  const int = builder.int('int', 4, 1)
  return builder.struct(name, 16, [{ name: 'pid', type: int, offset: pidOffset * 8 }])
}

test('essential names are names without their flavour', () => {
  const names = ['task___old', 'task', 'task___', '___task', 'a___b___c', 'task____x', 'a____b', 'x__y']
  expect(names.map(essentialName)).toEqual([
    'task',
    'task',
    'task___',
    '___task',
    'a___b',
    'task____x',
    'a____b',
    'x__y',
  ])
})

describe('fields', () => {
  const local = new BtfBuilder()
  const id = task(local, 'task___mine', 0)
  const kernel = new BtfBuilder()
  const long = kernel.int('long int', 8, 1)
  const anonymous = kernel.struct('', 16, [
    { name: 'x', type: long },
    { name: 'pid', type: long, offset: 64 },
  ])
  kernel.struct('task', 32, [
    { name: 'head', type: long },
    { name: '', type: anonymous, offset: 64 },
  ])
  const ask = relocator(local, kernel)

  test('are found by name, in anonymous members too, whatever the flavour', () => {
    const found = ask('byte_off', id, '0:0')
    expect(found).toMatchObject({ status: 'ok', value: 16n, localValue: 0n, access: 'struct task___mine.pid' })
    expect(found.matching).toEqual([{ module: 'vmlinux', id: 3, kind: 'STRUCT', name: 'task' }])
    // A signed field of another width: a load of it cannot be adjusted.
    expect(found.widthDiffers).toBe(true)
  })

  test.each<[RelocationKind, bigint, bigint]>([
    ['byte_sz', 8n, 4n],
    ['field_exists', 1n, 1n],
    ['signed', 1n, 1n],
    ['lshift_u64', 0n, 32n],
    ['rshift_u64', 0n, 32n],
  ])('%s', (kind, value, localValue) => {
    expect(ask(kind, id, '0:0')).toMatchObject({ status: 'ok', value, localValue })
  })

  test('that are not there poison the instruction, unless existence was the question', () => {
    const other = new BtfBuilder()
    const missing = other.struct('task', 8, [{ name: 'nope', type: other.int('int', 4) }])
    const none = other.struct('no_such_struct', 8, [{ name: 'nope', type: 1 }])
    const askOther = relocator(other, kernel)
    expect(askOther('byte_off', missing + 0, '0:0')).toMatchObject({
      status: 'poisoned',
      reason: expect.stringContaining('fits'),
    })
    expect(askOther('field_exists', missing, '0:0')).toMatchObject({ status: 'ok', value: 0n })
    expect(askOther('byte_off', none, '0:0')).toMatchObject({ status: 'poisoned', candidates: [] })
    expect(askOther('byte_off', none, '0:0').reason).toContain('the kernel has no STRUCT no_such_struct')
  })

  test('with a bad access string fail the program', () => {
    for (const access of ['', ':', '0:', '0:9', '-1', '0:0:0', 'x', '1:2:3', Array(65).fill(0).join(':')]) {
      expect(ask('byte_off', id, access).status, access).toBe('failed')
    }
  })

  test('of bits at any place, in units of any size, have an answer or a reason', () => {
    const kinds: readonly RelocationKind[] = [
      'byte_off',
      'byte_sz',
      'signed',
      'lshift_u64',
      'rshift_u64',
      'field_exists',
    ]
    for (const size of [1, 2, 3, 4, 5, 8, 16]) {
      for (const [offset, bits] of [
        [0, 1],
        [1, 7],
        [3, 31],
        [7, 63],
        [13, 8],
        [33, 5],
        [61, 9],
      ] as const) {
        const odd = new BtfBuilder()
        const wide = odd.struct('task', 16, [{ name: 'pid', type: odd.int('int', size), offset, bits }])
        for (const kind of kinds) {
          const found = relocator(odd, odd)(kind, wide, '0:0')
          expect(['ok', 'failed']).toContain(found.status)
          if (found.status === 'failed') expect(found.reason).toMatch(/bitfield|load/)
        }
      }
    }
  })

  test('of incompatible types do not match', () => {
    const other = new BtfBuilder()
    const int = other.int('int', 4)
    other.struct('task', 16, [{ name: 'pid', type: other.ptr(int) }])
    expect(relocator(local, other)('byte_off', id, '0:0').status).toBe('poisoned')
  })
})

describe('candidates', () => {
  const local = new BtfBuilder()
  const id = task(local, 'task', 0)

  test('that agree are all counted; one that differs makes it ambiguous', () => {
    const same = new BtfBuilder()
    task(same, 'task', 8)
    task(same, 'task___other', 8)
    expect(relocator(local, same)('byte_off', id, '0:0')).toMatchObject({
      status: 'ok',
      value: 8n,
      matching: [{ id: 2 }, { id: 4 }],
    })
    const differing = new BtfBuilder()
    task(differing, 'task', 8)
    task(differing, 'task', 4)
    const failed = relocator(local, differing)('byte_off', id, '0:0')
    expect(failed).toMatchObject({ status: 'failed', reason: 'ambiguous: 8 in vmlinux [2], 4 in vmlinux [4]' })
    // What differs is the place, so even a question with the same answer is ambiguous, as in libbpf.
    expect(relocator(local, differing)('byte_sz', id, '0:0').status).toBe('failed')
  })

  test('come from modules only if vmlinux has none', () => {
    const vmlinux = new BtfBuilder()
    vmlinux.int('int', 4)
    const module = vmlinux.split()
    task(module, 'task', 12)
    expect(relocator(local, vmlinux, module)('byte_off', id, '0:0')).toMatchObject({
      value: 12n,
      matching: [{ module: 'm0' }],
    })
    const both = new BtfBuilder()
    task(both, 'task', 8)
    const shadowed = both.split()
    task(shadowed, 'task', 12)
    expect(relocator(local, both, shadowed)('byte_off', id, '0:0')).toMatchObject({
      value: 8n,
      candidates: [{ module: 'vmlinux' }],
    })
  })

  test('of another kind do not count', () => {
    const kernel = new BtfBuilder()
    kernel.fwd('task')
    expect(relocator(local, kernel)('type_exists', id)).toMatchObject({ status: 'ok', value: 0n, candidates: [] })
  })
})

describe('bitfields', () => {
  const local = new BtfBuilder()
  const id = local.struct('s', 4, [{ name: 'b', type: local.int('unsigned int', 4), offset: 0, bits: 3 }])
  const kernel = new BtfBuilder()
  const int = kernel.int('unsigned int', 4)
  kernel.struct('s', 16, [
    { name: 'a', type: int, offset: 0, bits: 30 },
    { name: 'b', type: int, offset: 38, bits: 5 },
  ])
  const ask = relocator(local, kernel)

  test.each<[RelocationKind, bigint]>([
    ['byte_off', 4n],
    ['byte_sz', 4n],
    // The field is bits 6 to 10 of the word at 4.
    ['lshift_u64', 64n - 11n],
    ['rshift_u64', 64n - 5n],
    ['signed', 0n],
  ])('%s', (kind, value) => {
    expect(ask(kind, id, '0:0')).toMatchObject({ status: 'ok', value })
  })

  test('that straddle their unit are read with a wider load', () => {
    const wide = new BtfBuilder()
    const type = wide.int('unsigned int', 4)
    wide.struct('s', 8, [{ name: 'b', type, offset: 30, bits: 5 }])
    const askWide = relocator(local, wide)
    expect(askWide('byte_sz', id, '0:0').value).toBe(8n)
    expect(askWide('byte_off', id, '0:0').value).toBe(0n)
    expect(askWide('lshift_u64', id, '0:0').value).toBe(64n - 35n)
  })
})

describe('arrays', () => {
  function withArray(builder: BtfBuilder, count: number, last: boolean): number {
    const int = builder.int('int', 4)
    const array = builder.array(int, int, count)
    const members = [
      { name: 'n', type: int },
      { name: 'a', type: array, offset: 64 },
    ]
    if (!last) members.push({ name: 'z', type: int, offset: 64 + 32 * 8 })
    return builder.struct('s', 64, members)
  }

  test('are indexed within their bounds; a flexible array has none', () => {
    const local = new BtfBuilder()
    const id = withArray(local, 8, false)
    const ask = (count: number, last: boolean) => {
      const kernel = new BtfBuilder()
      withArray(kernel, count, last)
      return relocator(local, kernel)('byte_off', id, '0:1:5')
    }
    expect(ask(6, false)).toMatchObject({ status: 'ok', value: 28n, access: 'struct s.a[5]' })
    expect(ask(5, false).status).toBe('poisoned')
    expect(ask(0, true)).toMatchObject({ status: 'ok', value: 28n })
    expect(ask(0, false).status).toBe('poisoned')
  })
})

describe('enumerators', () => {
  const local = new BtfBuilder()
  const id = local.enum('e', 4, { A___v2: 1, GONE: 2 })

  test('are found by name, in 64-bit enums too', () => {
    const kernel = new BtfBuilder()
    kernel.enum64('e', 8, { Z: 0n, A: 0xffff_ffff_0000_0001n })
    const ask = relocator(local, kernel)
    expect(ask('enumval_value', id, '0')).toMatchObject({ status: 'ok', value: 0xffff_ffff_0000_0001n, localValue: 1n })
    expect(ask('enumval_exists', id, '0')).toMatchObject({ status: 'ok', value: 1n })
    expect(ask('enumval_exists', id, '1')).toMatchObject({ status: 'ok', value: 0n })
    expect(ask('enumval_value', id, '1').status).toBe('poisoned')
    expect(ask('enumval_value', id, '7').status).toBe('failed')
  })

  test('of 32 bits are sign-extended', () => {
    const kernel = new BtfBuilder()
    kernel.enum('e', 4, { A: -1 }, true)
    expect(relocator(local, kernel)('enumval_value', id, '0').value).toBe(0xffff_ffff_ffff_ffffn)
  })
})

describe('whole types', () => {
  const local = new BtfBuilder()
  const int = local.int('int', 4, 1)
  const id = local.struct('s', 8, [{ name: 'a', type: int }])
  const typedef = local.typedef('t', int)
  const kernel = new BtfBuilder()
  const kernelInt = kernel.int('int', 4, 1)
  const kernelId = kernel.struct('s', 24, [
    { name: 'b', type: kernelInt },
    { name: 'a', type: kernelInt, offset: 64 },
  ])
  const ask = relocator(local, kernel)

  test.each<[RelocationKind, bigint]>([
    ['local_type_id', BigInt(id)],
    ['target_type_id', BigInt(kernelId)],
    ['type_exists', 1n],
    ['type_size', 24n],
    ['type_matches', 1n],
  ])('%s', (kind, value) => {
    expect(ask(kind, id)).toMatchObject({ status: 'ok', value })
  })

  test.each<[RelocationKind]>([['target_type_id'], ['type_exists'], ['type_size'], ['type_matches']])(
    '%s of a type that is not there is 0',
    (kind) => {
      expect(ask(kind, typedef)).toMatchObject({ status: 'ok', value: 0n })
    },
  )

  test('match only if every member does', () => {
    const build = (member: string, size: number, encoding: number) => {
      const other = new BtfBuilder()
      other.struct('s', 8, [{ name: member, type: other.int('int', size, encoding) }])
      return relocator(local, other)('type_matches', id).value
    }
    expect([build('a', 4, 1), build('a', 4, 0), build('a', 8, 1), build('b', 4, 1)]).toEqual([1n, 0n, 0n, 0n])
  })

  test('match loosely behind pointers, where a forward declaration will do', () => {
    const mine = new BtfBuilder()
    const inner = mine.struct('inner', 4, [{ name: 'x', type: mine.int('int', 4) }])
    const outer = mine.struct('outer', 8, [{ name: 'p', type: mine.ptr(inner) }])
    const theirs = new BtfBuilder()
    theirs.struct('outer', 8, [{ name: 'p', type: theirs.ptr(theirs.fwd('inner')) }])
    expect(relocator(mine, theirs)('type_matches', outer).value).toBe(1n)
    const union = new BtfBuilder()
    union.struct('outer', 8, [{ name: 'p', type: union.ptr(union.fwd('inner', true)) }])
    expect(relocator(mine, union)('type_matches', outer).value).toBe(0n)
  })
})

describe('a BPF object', () => {
  /** An object with one program and the given relocations of `task_struct` on the Debian kernel. */
  function object(
    relocations: readonly { kind: RelocationKind; member: string; at?: number }[],
    little = true,
  ): Buffer {
    const local = new BtfBuilder()
    const int = local.int('int', 4, 1)
    const members = [...new Set(relocations.map((each) => each.member))]
    const id = local.struct(
      'task_struct',
      64,
      members.map((name, i) => ({ name, type: int, offset: 32 * i })),
    )
    const section = local.name('kprobe/x')
    const records = relocations.map(({ kind, member, at }, i) => [
      at ?? 8 * i,
      id,
      local.name(`0:${members.indexOf(member)}`),
      RELOCATION_KINDS.indexOf(kind),
    ])
    const words = [16, section, records.length, ...records.flat()]
    const ext = Buffer.alloc(32 + 4 * words.length)
    ext.writeUInt16LE(0xeb9f, 0)
    ext.writeUInt8(1, 2)
    ext.writeUInt32LE(32, 4)
    ext.writeUInt32LE(4 * words.length, 28)
    words.forEach((word, i) => {
      ext.writeUInt32LE(word!, 32 + 4 * i)
    })
    const program = Buffer.alloc(8 * relocations.length)
    relocations.forEach(({ kind, member }, i) => {
      // A load from memory (BPF_LDX | BPF_MEM | BPF_W) at the member, or the number 1 (BPF_ALU64 | BPF_MOV | BPF_K).
      program[8 * i] = kind === 'byte_off' ? 0x61 : 0xb7
      if (kind === 'byte_off') program.writeInt16LE(4 * members.indexOf(member), 8 * i + 2)
      else program.writeInt32LE(1, 8 * i + 4)
    })
    const btf = Buffer.from(local.build())
    return writeElf({
      is64: true,
      little,
      sections: [
        { name: 'kprobe/x', type: 1, data: program },
        { name: '.BTF', type: 1, data: btf },
        { name: '.BTF.ext', type: 1, data: ext },
      ],
    })
  }

  test('is checked relocation by relocation', () => {
    const relocations = [
      { kind: 'byte_off', member: 'pid' },
      { kind: 'byte_off', member: 'no_such_member' },
      { kind: 'field_exists', member: 'no_such_member' },
      { kind: 'byte_off', member: 'utime' },
    ] as const
    const checked = checkObject(object(relocations), debian())
    expect(checked.map((each) => each.result.status)).toEqual(['ok', 'poisoned', 'ok', 'poisoned'])
    expect(checked[0]).toMatchObject({ section: 'kprobe/x', instructionOffset: 0, kind: 'byte_off', access: '0:0' })
    expect(checked[0]!.result.value).toBe(BigInt(debian().requireMember('task_struct.pid').offset))
    expect(checked[1]!.result.access).toBe('struct task_struct.no_such_member')
    // utime is an unsigned 64-bit integer; the program reads a signed int of 32 bits.
    expect(checked[3]!.result).toMatchObject({ widthDiffers: true, reason: expect.stringContaining('width') })
  })

  test('without types is refused', () => {
    const elf = writeElf({ is64: true, little: true, sections: [] })
    expect(() => checkObject(elf, debian())).toThrow(/no .BTF section/)
  })

  test('that is damaged is refused or read, never worse', () => {
    const bytes = object([{ kind: 'byte_off', member: 'pid' }])
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0, 1, 0xff]) {
        const copy = Buffer.from(bytes)
        copy[at] = value
        try {
          checkObject(copy, debian())
        } catch (error) {
          expect(error).toHaveProperty('code')
        }
      }
    }
  })
})
