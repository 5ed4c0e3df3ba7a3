// Which answers may be given before the check of a snapshot from the cache: told by owners that are known to come and go, or not.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isSettled } from '../../src/cli/settled.ts'
import type { Kernel } from '../../src/kernel.ts'
import { openKernel } from '../../src/open-kernel.ts'
import { PastedReader } from '../../src/stacks/pasted.ts'
import { CAPTURE } from '../fixtures.ts'

let kernel: Kernel
beforeAll(async () => {
  kernel = await openKernel({ from: CAPTURE, threads: 0, types: false })
})
afterAll(() => kernel.close())

const settled = (text: string, of: Pick<Kernel, 'symbols' | 'host'> = kernel) =>
  isSettled(new PastedReader(of.symbols).read(Buffer.from(text)), of)

/** The address of some function of an owner. */
function within(owner: (name: string) => boolean): string {
  for (const symbol of kernel.symbols.matching('*')) {
    if (owner(symbol.owner) && /^[tT]$/.test(symbol.type) && symbol.size > 4)
      return `0x${(symbol.address + 3n).toString(16)}`
  }
  throw new Error('the capture has no such owner')
}

describe('before the check', () => {
  const modules = () => kernel.host.modules?.map(({ name }) => name) ?? []

  it('the core kernel and modules that are where they were can be told', () => {
    const core = within((name) => name === 'vmlinux')
    const module = within((name) => modules().includes(name))
    expect(settled(`${core} ${module}`)).toBe(true)
    // A module that is listed no more would be another's memory.
    const host = { ...kernel.host, modules: [] }
    expect(settled(core, { symbols: kernel.symbols, host })).toBe(true)
    expect(settled(module, { symbols: kernel.symbols, host })).toBe(false)
  })

  it('what comes and goes by itself cannot', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kerndex-settled-'))
    await writeFile(
      join(folder, 'kallsyms'),
      `ffffffff81000000 T _stext
ffffffff81000100 T one
ffffffff81000200 T _etext
ffffffffc0000000 t ftrace_trampoline	[__builtin__ftrace]
ffffffffc0001000 t bpf_prog_0123456789abcdef_watch	[bpf]
ffffffffc0002000 t kprobe_insn_page	[__builtin__kprobes]
ffffffffc0003000 t of_module	[module]
`,
    )
    await writeFile(join(folder, 'modules'), 'module 4096 0 - Live 0xffffffffc0003000\n')
    const own = await openKernel({ from: folder, threads: 0, types: false })
    const told = [
      'ffffffff81000104',
      'ffffffffc0003008',
      'ffffffffc0000004',
      'ffffffffc0001004',
      'ffffffffc0002004',
    ].map((address) => [own.symbols.at(BigInt(`0x${address}`))?.symbol.owner, settled(address, own)])
    expect(told).toEqual([
      ['vmlinux', true],
      ['module', true],
      ['__builtin__ftrace', false],
      ['bpf', false],
      ['__builtin__kprobes', false],
    ])
    expect(settled('ffffffff81000104 ffffffffc0001004', own)).toBe(false)
    await own.close()
    await rm(folder, { recursive: true })
  })

  it('neither can names, what is no address, and that nothing is there', () => {
    const core = within((name) => name === 'vmlinux')
    for (const other of ['vfs_read+0x10', 'no_such_name+1', '!', '0x10', 'ffffffffffffffff']) {
      expect([other, settled(`${core} ${other}`)]).toEqual([other, false])
    }
  })
})
