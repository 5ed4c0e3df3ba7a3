// Where a kernel lay, told by its stacks.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BuildSymbols } from '../../src/catalog/build-symbols.ts'
import { findSlide } from '../../src/catalog/slide.ts'
import { openCatalog } from '../../src/open-catalog.ts'
import { kerndexes } from '../cli/run.ts'
import { CAPTURE } from '../fixtures.ts'

const folder = mkdtempSync(join(tmpdir(), 'kerndex-slide-'))
const DIR = join(folder, 'catalog')
const KERNEL = 'eb4fbcd037e7253717950bf2b93bd5566f47c56f'
const TEXT = 0xffffffff9a600000n

let build: BuildSymbols

beforeAll(async () => {
  const catalog = await openCatalog({ directory: DIR })
  await catalog.add(CAPTURE)
  build = (await catalog.build(KERNEL))!
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

const at = (name: string, offset: bigint) => TEXT + build.named(name)[0]!.offset + offset
const sites = () => [
  at('entry_SYSCALL_64_after_hwframe', 0x63n),
  at('ret_from_fork', 0x22n),
  at('asm_sysvec_apic_timer_interrupt', 0x1an),
]
const many = (count: number, addresses: readonly bigint[]) =>
  Array.from({ length: count }, (_, i) => addresses[i % addresses.length]!)

describe('the slide from stacks', () => {
  it('is found, with its shares', () => {
    const found = findSlide(build, many(20, sites()))
    expect(found).toMatchObject({ text: TEXT, stacks: 20, share: 1 })
    expect(found.runnerUp).toBeLessThan(0.75)
  })

  it('is found among stacks that end elsewhere, and user addresses', () => {
    const others = [0x7f0012345678n, TEXT + 0x123456n, 0xffffffffc0123456n]
    expect(findSlide(build, many(60, [...sites(), ...others])).text).toBe(TEXT)
  })

  it('is refused where it is not clear', () => {
    expect(() => findSlide(build, many(9, sites()))).toThrow(/at least 10/)
    expect(() => findSlide(build, many(20, [TEXT + 0x300000n]))).toThrow(/another kernel/)
    const moved = sites().map((address, i) => (i % 2 === 0 ? address : address + 0x400000n))
    expect(() => findSlide(build, many(40, moved.slice(0, 2)))).toThrow(/not clear/)
    const cut = Array.from({ length: 300 }, (_, i) => TEXT + 0x300000n + BigInt(i))
    expect(() => findSlide(build, [...cut, ...sites()])).toThrow(/only 1 % of 303 stacks/)
    expect(() => findSlide(build, [...cut.slice(0, 10), ...sites().slice(0, 2)])).toThrow(/only 17 % of 12 stacks/)
    expect(() => findSlide(build, many(20, [0x7f0012345678n]))).toThrow(/no stack has an address of the kernel/)
  })

  it('places a trace of a host that tells nothing else', async () => {
    const inner = at('vfs_read', 0x10n)
    const module = 0xffffffffc0123456n
    const stack = (outer: bigint) =>
      `proc 1 [000] 1.000000: 1 cycles: \n${[inner, module, outer].map((address) => `\t${address.toString(16)} \n`).join('')}\n`
    const file = join(folder, 'perf.txt')
    writeFileSync(file, many(20, sites()).map(stack).join(''))
    const common = ['resolve', file, '--catalog', DIR, '--json', '--build-id']
    const [found, stext, neither, unknown] = await kerndexes([
      [...common, KERNEL, '--slide-from-stacks'],
      [...common, KERNEL, '--trace-stext', TEXT.toString(16)],
      [...common, KERNEL],
      [...common, '00112233445566', '--slide-from-stacks'],
    ])
    expect(found?.stderr).toContain(`the kernel lay at 0x${TEXT.toString(16)} (_text): 100 % of 20 stacks`)
    expect(found?.stdout).toContain('"symbol":"vfs_read"')
    expect(found?.stdout).toContain('"reason":"other_boot"')
    expect(stext?.stdout).toBe(found?.stdout)
    expect(neither?.code).toBe(2)
    expect(unknown?.stderr).toContain('no kernel with the build id 00112233445566')
  }, 120_000)
})
