// The grammar of specifications: every form, and every error with its column.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseSpec } from '../../src/probes/spec.ts'
import { SpecError } from '../../src/probes/spec-error.ts'

const parts = (kind: string, module: string | undefined, name: string, offset = 0, address?: bigint) => ({
  kind,
  module,
  function: name,
  offset,
  address,
})

describe('what a specification says', () => {
  test.each([
    ['kprobe:vfs_read', parts('kprobe', undefined, 'vfs_read')],
    ['kretprobe:vfs_read', parts('kretprobe', undefined, 'vfs_read')],
    ['fentry:vmlinux:vfs_read', parts('fentry', 'vmlinux', 'vfs_read')],
    ['fexit:nf_tables:nft_trans_alloc_gfp', parts('fexit', 'nf_tables', 'nft_trans_alloc_gfp')],
    ['kfunc:vfs_read', parts('fentry', undefined, 'vfs_read')],
    ['kretfunc:kvm:x86_*', parts('fexit', 'kvm', 'x86_*')],
    ['fmod_ret:security_file_open', parts('fmod_ret', undefined, 'security_file_open')],
    ['entry:vfs_read', parts('entry', undefined, 'vfs_read')],
    ['return:*:foo?', parts('return', '*', 'foo?')],
    ['vfs_read', parts('entry', undefined, 'vfs_read')],
    ['kprobe:vfs_read+16', parts('kprobe', undefined, 'vfs_read', 16)],
    ['kprobe:kvm:x86_foo+0x1F', parts('kprobe', 'kvm', 'x86_foo', 31)],
    ['kprobe:0xffffffff81000000', parts('kprobe', undefined, '', 0, 0xffffffff81000000n)],
    ['0xFFFF800080000010', parts('entry', undefined, '', 0, 0xffff800080000010n)],
    ['kprobe:foo.isra.0', parts('kprobe', undefined, 'foo.isra.0')],
    ['kprobe:foo.constprop.0.isra.0+4', parts('kprobe', undefined, 'foo.constprop.0.isra.0', 4)],
    ['kprobe:[a-z]*_read', parts('kprobe', undefined, '[a-z]*_read')],
    ['kprobe:nf[!_]*', parts('kprobe', undefined, 'nf[!_]*')],
    ['kprobe:[!a-z-]x', parts('kprobe', undefined, '[!a-z-]x')],
    ['kprobe:[^-A]x', parts('kprobe', undefined, '[^-A]x')],
    ['kprobe:[]+]x', parts('kprobe', undefined, '[]+]x')],
    ['kprobe:.slowpath', parts('kprobe', undefined, '.slowpath')],
    ['kprobe:größe', parts('kprobe', undefined, 'größe')],
  ])('%s', (text, expected) => {
    expect(parseSpec(text)).toEqual({ text, ...expected })
  })
})

describe('what is wrong with one, and where', () => {
  test.each([
    ['', 1, 'a function name'],
    ['kprobe:', 8, 'a function name'],
    ['fentri:vfs_read', 1, 'a kind of probe'],
    [':vfs_read', 1, 'a kind of probe'],
    ['nf_tables:nft_do_chain', 1, 'entry:module:name'],
    ['kprobe::vfs_read', 8, 'a module name'],
    ['kprobe:vmlinux:', 16, 'a function name'],
    ['kprobe:a:b:c', 11, 'no third ":"'],
    ['kprobe:vfs read', 11, 'a character of a function name'],
    ['kprobe:vfs_read-4', 16, 'never negative'],
    ['kprobe:vfs_read+', 17, 'an offset'],
    ['kprobe:vfs_read+x', 17, 'an offset'],
    ['kprobe:vfs_read+4x', 18, 'a digit of the offset or the end'],
    ['kprobe:vfs_read+-4', 17, 'an offset'],
    ['kprobe:vfs_read+9999999999', 17, 'at most'],
    ['kprobe:vfs_*+4', 13, 'one exact function'],
    ['fentry:vfs_read+4', 16, 'fentry takes no offset'],
    ['fentry:0xffffffff81000000', 8, 'fentry finds its address by name'],
    ['kprobe:vmlinux:0xffffffff81000000', 16, 'an address needs no module'],
    ['kprobe:0x', 10, 'a hexadecimal digit'],
    ['kprobe:0x12345678123456789', 26, 'at most 16'],
    ['kprobe:0xffffffff8100000g', 25, 'a hexadecimal digit or the end'],
    ['kprobe:foo[a-z', 11, 'a "]"'],
    ['kprobe:a-b:foo', 9, '"_"'],
    ['kprobe:foo[z-a]*', 14, 'the range is empty'],
    ['kprobe:[a-z9-0]*', 14, 'a character from "9" on'],
    ['kprobe: vfs_read', 8, 'a character of a function name'],
    [`kprobe:${'x'.repeat(512)}`, 8, 'at most 511'],
  ])('%s', (text, column, expected) => {
    const error = (() => {
      try {
        parseSpec(text)
      } catch (thrown) {
        return thrown
      }
      return undefined
    })()
    expect(error).toBeInstanceOf(SpecError)
    const { column: at, message, code } = error as SpecError
    expect({ at, code }).toEqual({ at: column, code: 'USAGE' })
    expect(message).toContain(`column ${column}`)
    expect(message).toContain(expected)
  })

  test('any text is read or refused with a column inside it', () => {
    const piece = fc.constantFrom(
      'kprobe:',
      'fentry:',
      'entry:',
      'foo',
      'bar_',
      '*',
      '?',
      '[',
      ']',
      'a-z',
      '+',
      '0x',
      '12',
      ':',
      ' ',
      '.',
      '-',
      'é',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const text = pieces.join('')
        try {
          const spec = parseSpec(text)
          expect(spec.text).toBe(text)
          expect(spec.function === '' ? spec.address : spec.function).toBeDefined()
        } catch (error) {
          if (!(error instanceof SpecError)) throw error
          expect(error.column).toBeGreaterThanOrEqual(1)
          expect(error.column).toBeLessThanOrEqual(text.length + 1)
        }
      }),
      { numRuns: 2000 },
    )
  })
})
