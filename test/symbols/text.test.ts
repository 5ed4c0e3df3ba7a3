import { describe, expect, it } from 'vitest'
import { tableOf } from './build-table.ts'

/** A kernel as x86 lists it from 6.18 on: data is `t` and `T` as functions are. */
const KERNEL = [
  'ffffffff81000000 T _stext',
  'ffffffff81000010 T vfs_read',
  'ffffffff81000100 t helper.isra.0',
  'ffffffff81000200 W weak_call',
  'ffffffff81000300 r table_in_text',
  'ffffffff81000400 T _etext',
  'ffffffff82000000 T init_stack',
  'ffffffff82000100 t pci_driver',
  'ffffffff82000200 T modules',
  'ffffffff83000000 T _sinittext',
  'ffffffff83000010 t setup',
  'ffffffff83000100 T _einittext',
  'ffffffff83000100 t after_init',
  'ffffffff83100000 B _end',
  'ffffffffc0000000 t probe\t[mod]',
  'ffffffffc0000100 d probe_data\t[mod]',
  'ffffffffc0200000 t bpf_prog_1\t[bpf]',
].join('\n')

/** The names that a filter lets through. */
const named = (text: string, kinds: 'text' | 'data') => {
  const table = tableOf(text)
  return Array.from(table.scan('*', { kinds }), (id) => table.nameOf(id))
}

describe('which symbols are functions', () => {
  it('is told by the markers of the core kernel’s text, and by types in modules', () => {
    expect(named(KERNEL, 'text')).toEqual([
      ...['_stext', 'vfs_read', 'helper.isra.0', 'weak_call', '_sinittext', 'setup', 'probe', 'bpf_prog_1'],
    ])
    expect(named(KERNEL, 'data')).toContain('modules')
  })

  it('is asked of one symbol, of a lookup and of a scan alike', () => {
    const table = tableOf(KERNEL)
    for (const { id, address, name } of table) {
      const answer = table.at(address, { kinds: 'text' })
      const isAnswer = answer?.symbol.id === id || answer?.aliases.some((alias) => alias.id === id) === true
      if (name !== '_end') expect(isAnswer, name).toBe(table.isText(id))
    }
  })

  it('goes by types alone where the markers are not listed', () => {
    const bare = KERNEL.split('\n').filter((line) => !line.endsWith('_etext'))
    expect(named(bare.join('\n'), 'text')).toContain('modules')
  })

  it('does not depend on the order of the text', () => {
    expect(named(KERNEL.split('\n').reverse().join('\n'), 'text').sort()).toEqual(named(KERNEL, 'text').sort())
  })

  it('keeps a kernel without initialisation markers apart from its data all the same', () => {
    const bare = KERNEL.split('\n').filter((line) => !line.includes('inittext'))
    expect(named(bare.join('\n'), 'text')).not.toContain('modules')
  })
})
