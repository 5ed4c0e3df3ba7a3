// Many stacks at once against the same stacks one by one, over real symbols: rows of one depth and rows of any, with markers,
// user addresses, interrupt entries, trampolines, and return addresses behind the last instruction of a function.

import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { attachKernel, type Kernel, openKernel } from '../../src/index.ts'
import { rawFrame } from '../../src/stacks/frame.ts'
import { StackResolver } from '../../src/stacks/resolve.ts'
import type { StackRows } from '../../src/stacks/stacks.ts'
import { DEBIAN } from '../events/samples.ts'

let kernel: Kernel
/** Addresses that make differences. */
let telling: bigint[]
beforeAll(async () => {
  kernel = await openKernel({ from: DEBIAN, threads: 0, types: false })
  const place = (name: string) => kernel.symbols.named(name)[0]!.address
  const entries = ['asm_exc_page_fault', 'asm_sysvec_apic_timer_interrupt', 'asm_exc_nmi'].map(place)
  const inside = ['vfs_read', 'schedule', 'x86_64_start_kernel'].map(place)
  const behind = kernel.symbols.startingAt(place('vfs_read'))
  expect(behind).not.toHaveLength(0)
  telling = [
    ...entries.flatMap((start) => [start, start + 5n]),
    ...inside.flatMap((start) => [start, start + 7n]),
    ...kernel.symbols.named('return_to_handler').map(({ address }) => address),
    ...kernel.symbols.named('arch_rethook_trampoline').map(({ address }) => address),
    ...[
      0xffff_ffff_ffff_ff80n,
      0xffff_ffff_ffff_fe00n,
      0xffff_ffff_ffff_ffffn,
      0x7f00_0000_1234n,
      0xffff_8880_0000_0000n,
    ],
    0xffff_ffff_0000_0000n,
  ]
})

/** What one stack comes to by itself: name and offset of each frame. */
function one(addresses: readonly bigint[]): [string | undefined, number][] {
  return new StackResolver(kernel.symbols)
    .resolve(
      addresses.map((address) => rawFrame({ address })),
      'pc-first',
    )
    .map(({ symbol, offset }) => [symbol ?? undefined, offset ?? 0])
}

function laidOut(stacks: readonly (readonly bigint[])[], depth: number | undefined): [BigUint64Array, StackRows] {
  if (depth === undefined) {
    let at = 0
    const starts = Uint32Array.from(stacks, (stack) => {
      at += stack.length
      return at - stack.length
    })
    return [BigUint64Array.from(stacks.flat()), { starts }]
  }
  const rows = new BigUint64Array(stacks.length * depth)
  stacks.forEach((stack, i) => {
    rows.set(stack, i * depth)
  })
  return [rows, { depth }]
}

describe('stacks in rows', () => {
  it('come to what each comes to by itself', () => {
    const address = fc.oneof(
      fc.nat().map((n) => telling[n % telling.length]!),
      fc.nat().map((n) => kernel.symbols.addressOf(n % kernel.symbols.size) + BigInt(n % 7)),
    )
    const stacks = fc.array(fc.array(address, { maxLength: 9 }), { maxLength: 8 })
    fc.assert(
      fc.property(stacks, fc.constantFrom(undefined, 9, 16), (given, depth) => {
        const [addresses, rows] = laidOut(given, depth)
        const resolved = kernel.stacks.resolve(addresses, rows)
        expect(resolved.count).toBe(given.length)
        given.forEach((stack, i) => {
          const expected = one(stack)
          expect(resolved.names(i)).toEqual(expected.map(([name]) => name))
          expect(resolved.frames(i).map(({ symbol, offset }) => [symbol ?? undefined, offset ?? 0])).toEqual(expected)
          const { start, end } = resolved.bounds(i)
          const offsets = Array.from(resolved.ids.subarray(start, end), (id, at) => [id, resolved.offsets[start + at]])
          const found = offsets.filter(([id]) => id !== 0xffff_ffff)
          expect(found.map(([, offset]) => offset)).toEqual(
            expected.filter(([name]) => name !== undefined).map(([, offset]) => offset),
          )
        })
      }),
    )
  })

  it('are the same in batches of any size, in columns that the caller brings, and on an attached reader', () => {
    const stacks = Array.from({ length: 3000 }, (_, i) =>
      Array.from({ length: i % 40 }, (__, at) => telling[(i * 7 + at) % telling.length]!),
    )
    const [addresses, rows] = laidOut(stacks, undefined)
    const into = { ids: new Uint32Array(addresses.length + 5), offsets: new Uint32Array(addresses.length + 5) }
    const reader = attachKernel(kernel.handle())
    const all = reader.stacks.resolve(addresses, rows, into)
    expect(all.ids).toBe(into.ids)
    for (const i of [0, 1, 39, 1234, 2999]) {
      expect(all.names(i)).toEqual(one(stacks[i]!).map(([name]) => name))
    }
    const [deep, depth] = laidOut(stacks, 40)
    const again = kernel.stacks.resolve(deep, depth)
    for (const i of [0, 1, 39, 1234, 2999]) expect(again.names(i)).toEqual(all.names(i))
  })

  it.each<[string, () => unknown]>([
    ['no rows', () => kernel.stacks.resolve(new BigUint64Array(5), { depth: 2 })],
    ['no depth', () => kernel.stacks.resolve(new BigUint64Array(4), { depth: 0 })],
    ['starts that go back', () => kernel.stacks.resolve(new BigUint64Array(4), { starts: Uint32Array.of(2, 1) })],
    ['starts behind the end', () => kernel.stacks.resolve(new BigUint64Array(4), { starts: Uint32Array.of(5) })],
    [
      'columns too short',
      () =>
        kernel.stacks.resolve(
          new BigUint64Array(4),
          { depth: 4 },
          { ids: new Uint32Array(3), offsets: new Uint32Array(4) },
        ),
    ],
    ['a stack that is not there', () => kernel.stacks.resolve(new BigUint64Array(4), { depth: 2 }).names(2)],
  ])('are refused with %s', (_, ask) => {
    expect(ask).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })
})
