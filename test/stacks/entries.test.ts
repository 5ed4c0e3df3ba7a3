// Which frames of each architecture's traces are PCs: what an interrupt or exception interrupted, and where entry code has its
// callees return to. Each trace has addresses only, and each of the frames in question is the first byte of a function: as a
// return address it would be of the function before.

import { describe, expect, it } from 'vitest'
import { rawFrame } from '../../src/stacks/frame.ts'
import { StackResolver } from '../../src/stacks/resolve.ts'
import { Stacks } from '../../src/stacks/stacks.ts'
import { output, snapshotOfText } from '../events/samples.ts'
import { tableOf } from '../symbols/build-table.ts'

/** Functions of 0x100 bytes, one behind the other. */
const table = (names: readonly string[]) =>
  ['_stext', 'before', ...names, 'after', '_end']
    .map((name, i) => `${(0xffffffff81000000n + BigInt(i) * 0x100n).toString(16)} T ${name}`)
    .join('\n')
const addressOf = (names: readonly string[], name: string, offset: number) =>
  0xffffffff81000000n + BigInt(names.indexOf(name) + 2) * 0x100n + BigInt(offset)

/** Architecture, functions of the kernel, and a trace with offsets; all are told by their addresses alone. */
const TRACES: [arch: string, trace: [name: string, offset: number][]][] = [
  [
    'arm, an interrupt',
    [
      ['gic_handle_irq', 0x40],
      ['__irq_svc', 0x50],
      ['arch_cpu_idle', 0],
      ['cpu_startup_entry', 0x20],
    ],
  ],
  [
    'arm, a data abort',
    [
      ['do_DataAbort', 0x40],
      ['__dabt_svc', 0x50],
      ['drv_read', 0],
      ['vfs_read', 0x20],
    ],
  ],
  [
    'arm, a prefetch abort',
    [
      ['do_PrefetchAbort', 0x40],
      ['__pabt_svc', 0x50],
      ['drv_read', 0],
    ],
  ],
  [
    'arm, an undefined instruction',
    [
      ['do_undefinstr', 0x40],
      ['__und_svc', 0x50],
      ['drv_read', 0],
    ],
  ],
  [
    'arm, a system call',
    [
      ['sys_read', 0x40],
      ['ret_fast_syscall', 0],
    ],
  ],
  [
    'arm64',
    [
      ['do_mem_abort', 0x40],
      ['el1h_64_sync', 0x60],
      ['drv_read', 0],
      ['vfs_read', 0x10],
    ],
  ],
  [
    'riscv before 6.1',
    [
      ['do_irq', 0x40],
      ['ret_from_exception', 0],
      ['drv_read', 0],
      ['vfs_read', 0x10],
    ],
  ],
  [
    'riscv',
    [
      ['do_page_fault', 0x40],
      ['handle_exception', 0x90],
      ['drv_read', 0],
      ['vfs_read', 0x10],
    ],
  ],
  [
    'riscv, a system call',
    [
      ['sys_read', 0x40],
      ['ret_from_syscall', 0],
    ],
  ],
  [
    'powerpc',
    [
      ['do_page_fault', 0x40],
      ['data_access_common_virt', 0x90],
      ['drv_read', 0],
      ['vfs_read', 0x10],
    ],
  ],
  [
    'powerpc, an interrupt',
    [
      ['do_IRQ', 0x40],
      ['hardware_interrupt_common', 0x90],
      ['drv_read', 0],
    ],
  ],
  [
    's390',
    [
      ['do_protection_exception', 0x40],
      ['pgm_check_handler', 0x90],
      ['drv_read', 0],
      ['vfs_read', 0x10],
    ],
  ],
  [
    's390, an interrupt',
    [
      ['do_io_irq', 0x40],
      ['io_int_handler', 0x90],
      ['drv_read', 0],
    ],
  ],
  [
    'loongarch',
    [
      ['do_page_fault', 0x40],
      ['tlb_do_page_fault_0', 0x90],
      ['drv_read', 0],
      ['vfs_read', 0x10],
    ],
  ],
  [
    'loongarch, an interrupt',
    [
      ['do_vint', 0x40],
      ['handle_vint', 0x90],
      ['drv_read', 0],
    ],
  ],
  [
    'mips',
    [
      ['plat_irq_dispatch', 0x40],
      ['ret_from_irq', 0],
      ['drv_read', 0],
      ['vfs_read', 0x10],
    ],
  ],
  ['a task that has not run yet', [['ret_from_fork_asm', 0]]],
]

describe('entry code', () => {
  it.each(TRACES)('of %s', async (_, trace) => {
    const names = trace.map(([name]) => name)
    const text = table(names)
    const symbols = tableOf(text)
    const addresses = trace.map(([name, offset]) => addressOf(names, name, offset))
    const frames = new StackResolver(symbols).resolve(
      addresses.map((address) => rawFrame({ address })),
      'returns',
    )
    expect(frames.map(({ symbol, offset }) => [symbol, offset])).toEqual(trace)
    // The same in bulk; behind a PC, which the first of a row is.
    const row = new BigUint64Array([addresses[0]!, ...addresses])
    expect(new Stacks(symbols).resolve(row, { depth: row.length }).names(0).slice(1)).toEqual(names)
    // And as a log has them.
    const log = ['CPU: 0 PID: 1 Comm: x', 'Call trace:', ...addresses.map((address) => `[<${address.toString(16)}>]`)]
    const lines = log.map((line) => `[    1.000000] ${line}\n`).join('')
    const json = (await output(Buffer.from(lines), await snapshotOfText(text), 'ndjson', { input: 'oops' })).toString()
    const { kernel_stack } = JSON.parse(json) as { kernel_stack: { symbol: string; offset: number }[] }
    expect(kernel_stack.map(({ symbol, offset }) => [symbol, offset])).toEqual(trace)
  })

  it('is nothing else: behind other functions stand return addresses', () => {
    const names = ['handle_bpf', 'do_irq', 'asm_helper', 'ret_from_forks', 'caller', 'next']
    const symbols = tableOf(table(names))
    for (const name of names.slice(0, 4)) {
      const addresses = [addressOf(names, name, 0x10), addressOf(names, 'next', 0)]
      const frames = new StackResolver(symbols).resolve(
        addresses.map((address) => rawFrame({ address })),
        'returns',
      )
      expect(frames.map(({ symbol }) => symbol)).toEqual([name, 'caller'])
    }
  })
})
