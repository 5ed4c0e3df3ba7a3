// Modules with a distilled base: moved onto a vmlinux by name, refused where that is not possible.
import { describe, expect, test } from 'vitest'
import { prototypeOf } from '../../src/btf/ask/functions.ts'
import { layoutOf } from '../../src/btf/ask/layout.ts'
import { extractBtf } from '../../src/btf/read/blob-file.ts'
import { relocateDistilled } from '../../src/btf/relocate/distilled.ts'
import { checkBtf } from '../../src/btf/verify/check.ts'
import { writeElf } from '../core/elf-writer.ts'
import { BtfBuilder } from './builder.ts'
import { debian, oneSet, shapeOf } from './fixtures.ts'

/** A module split on a distilled base with `int`, `struct list_head` (embedded) and `struct task_struct` (pointed to). */
function distilledModule(size = 16): { base: BtfBuilder; module: BtfBuilder } {
  const base = new BtfBuilder()
  const int = base.int('int', 4, 1)
  const list = base.raw('list_head', 4, 0, false, size)
  const task = base.fwd('task_struct')
  const module = base.split()
  const pointer = module.ptr(task)
  module.struct('my_struct', 32, [
    { name: 'list', type: list },
    { name: 'task', type: pointer, offset: 128 },
    { name: 'counter', type: int, offset: 192 },
  ])
  module.func('my_func', module.proto(int, [{ name: 'task', type: pointer }]))
  return { base, module }
}

const vmlinux = debian().set('vmlinux')!

describe('a module on its distilled base', () => {
  test('moves onto vmlinux with its types intact', () => {
    const { base, module } = distilledModule()
    const bytes = relocateDistilled(module.build(), base.build(), vmlinux)
    expect(checkBtf(bytes, { strict: true, base: { set: vmlinux, shape: shapeOf(vmlinux) } })).toEqual({
      ok: true,
      errors: [],
    })
    const set = oneSet('my_module', bytes, vmlinux)
    expect(set.firstId).toBe(vmlinux.endId)
    expect(prototypeOf(set, set.idsNamed('my_func')[0]!)).toBe('int my_func(struct task_struct *task)')
    const layout = layoutOf(set, set.idsNamed('my_struct')[0]!)
    expect(layout.members.map(({ declaration, size }) => `${declaration} ${size}`)).toEqual([
      'struct list_head list 16',
      'struct task_struct *task 8',
      'int counter 4',
    ])
  })

  test('is refused where vmlinux has no type of that name and size', () => {
    const { base, module } = distilledModule(24)
    expect(() => relocateDistilled(module.build(), base.build(), vmlinux)).toThrow(/no STRUCT list_head of that size/)
  })

  test('is refused straight on vmlinux', () => {
    const { module } = distilledModule()
    expect(() => oneSet('my_module', module.build(), vmlinux)).toThrow(expect.objectContaining({ code: 'BAD_FORMAT' }))
  })

  test('comes out of an ELF file with both sections', () => {
    const { base, module } = distilledModule()
    const [own, distilled] = [Buffer.from(module.build()), Buffer.from(base.build())]
    const elf = writeElf({
      is64: true,
      little: true,
      sections: [
        { name: '.BTF', type: 1, data: own },
        { name: '.BTF.base', type: 1, data: distilled },
      ],
    })
    const file = extractBtf(elf)
    expect(Buffer.from(file.btf).equals(own)).toBe(true)
    expect(Buffer.from(file.distilledBase!).equals(distilled)).toBe(true)
    expect(Buffer.from(extractBtf(own).btf).equals(own)).toBe(true)
    expect(() => extractBtf(writeElf({ is64: true, little: true, sections: [] }))).toThrow(/no .BTF section/)
  })
})
