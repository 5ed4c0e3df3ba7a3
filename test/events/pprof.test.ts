// pprof profiles, written here field by field after the published description of the format.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BadFormatError, UsageError } from '../../src/core/errors.ts'
import { Cutter } from '../../src/events/cut.ts'
import type { TraceEvent } from '../../src/events/event.ts'
import { detectFormat } from '../../src/events/formats.ts'
import { pprof } from '../../src/events/input/pprof.ts'
import { readLayout, writeLayout } from '../../src/load/layout-file.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'
import { Profiles } from '../../src/stacks/profile.ts'
import { HOST, output, run, snapshotOf } from './samples.ts'

let host: Snapshot
beforeAll(async () => {
  host = await snapshotOf(HOST)
})

function varint(value: bigint): number[] {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, value)
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return [...bytes, Number(rest)]
}
const number = (field: number, value: bigint | number) => [...varint(BigInt(field << 3)), ...varint(BigInt(value))]
const inner = (field: number, bytes: readonly number[]) => [
  ...varint(BigInt((field << 3) | 2)),
  ...varint(BigInt(bytes.length)),
  ...bytes,
]
const text = (field: number, words: string) => inner(field, [...Buffer.from(words)])

const STRINGS = [
  '',
  'samples',
  'count',
  'cpu',
  'nanoseconds',
  '[kernel.kallsyms]',
  '/usr/bin/node',
  'vfs_read',
  'main',
  'comm',
  'bash',
  'pid',
  'inlined',
  'queue',
]
const at = (word: string) => STRINGS.indexOf(word)

/** Two kernel frames below one of node; a name without an address; who it was. */
const PROFILE = Buffer.from([
  ...inner(1, [...number(1, at('samples')), ...number(2, at('count'))]),
  ...inner(1, [...number(1, at('cpu')), ...number(2, at('nanoseconds'))]),
  ...inner(3, [...number(1, 1), ...number(2, 0xffffffff81000000n), ...number(5, at('[kernel.kallsyms]'))]),
  ...inner(3, [...number(1, 2), ...number(5, at('/usr/bin/node'))]),
  ...inner(4, [...number(1, 1), ...number(2, 1), ...number(3, 0xffffffff816b8aabn)]),
  ...inner(4, [...number(1, 2), ...number(2, 1), ...number(3, 0xffffffff837907c0n)]),
  ...inner(4, [...number(1, 3), ...number(2, 2), ...number(3, 0xb1cb9b), ...inner(4, number(1, 2))]),
  ...inner(4, [...number(1, 4), ...inner(4, number(1, 3)), ...inner(4, number(1, 1))]),
  ...inner(5, [...number(1, 1), ...number(2, at('vfs_read'))]),
  ...inner(5, [...number(1, 2), ...number(2, at('main'))]),
  ...inner(5, [...number(1, 3), ...number(2, at('inlined'))]),
  ...STRINGS.flatMap((word) => text(6, word)),
  // Packed numbers.
  ...inner(2, [
    ...inner(1, [1, 2, 3]),
    ...inner(2, [...varint(7n), ...varint(250000n)]),
    ...inner(3, [...number(1, at('comm')), ...number(2, at('bash'))]),
    ...inner(3, [...number(1, at('pid')), ...number(3, 4474)]),
    ...inner(3, [...number(1, at('queue')), ...number(3, -1n)]),
  ]),
  // The same numbers one by one.
  ...inner(2, [...number(1, 4), ...number(1, 1), ...number(2, 1), ...number(2, 2)]),
])

function decoded(bytes: Uint8Array) {
  const events: TraceEvent[] = []
  const bad: string[] = []
  try {
    pprof.decodeWhole?.(bytes, {
      event: (event) => events.push(event),
      bad: (_, reason) => {
        bad.push(reason)
      },
    })
  } catch (error) {
    // What cannot be read any further ends it; any other error is none of those that it throws.
    if (!(error instanceof BadFormatError)) throw error
    bad.push(error.message)
  }
  return { events, bad }
}

it.each([
  ['as it is', PROFILE],
  ['packed', gzipSync(PROFILE)],
  ['with its fields in another order', Buffer.concat([Buffer.from(number(9, 5)), Buffer.from(text(6, '')), PROFILE])],
])('is told from text, %s', (_, bytes) => {
  expect(detectFormat(bytes.toString('latin1'), true)?.name).toBe('pprof')
})

it('has frames of addresses and of names, weights of the last kind, and who it was', () => {
  for (const bytes of [PROFILE, gzipSync(PROFILE)]) {
    const { events, bad } = decoded(bytes)
    expect(bad).toEqual([])
    expect(events.map(({ weight, pid, comm, fields }) => [weight, pid, comm, fields])).toEqual([
      [250000n, 4474, 'bash', [['queue', '-1']]],
      [2n, undefined, undefined, []],
    ])
    expect(events[0]?.frames.map(({ address, name, user }) => [address, name, user])).toEqual([
      [0xffffffff816b8aabn, undefined, false],
      [0xffffffff837907c0n, undefined, false],
      [0xb1cb9bn, 'main', true],
    ])
    expect(events[1]?.frames.map(({ address, name }) => [address, name])).toEqual([
      [undefined, 'inlined'],
      [undefined, 'vfs_read'],
      [0xffffffff816b8aabn, undefined],
    ])
  }
})

it('keeps all lines of a location, the innermost first, and names without a file', () => {
  const bytes = Buffer.concat([
    PROFILE,
    Buffer.from([
      ...inner(4, [...number(1, 9), ...number(3, 0x401000), ...inner(4, number(1, 3)), ...inner(4, number(1, 2))]),
      ...inner(2, [...number(1, 9), ...number(2, 1)]),
    ]),
  ])
  const [, , event] = decoded(bytes).events
  expect(event?.frames).toMatchObject([
    { address: 0x401000n, name: 'inlined', inlined: true, user: true },
    { address: 0x401000n, name: 'main', inlined: false, user: true },
  ])
  expect(event).toMatchObject({ name: 'cpu', unit: 'nanoseconds' })
})

it('weighs what the profile prefers', () => {
  const bytes = Buffer.concat([PROFILE, Buffer.from(number(14, at('samples')))])
  expect(decoded(bytes).events.map(({ weight }) => weight)).toEqual([7n, 1n])
})

it('goes through the stream as one stretch, on threads too, and is resolved', async () => {
  const folded = async (threads: number) => {
    const answers = await run(PROFILE, host, 'profile', { threads })
    expect(answers).toHaveLength(1)
    const profiles = new Profiles()
    for (const answer of answers) profiles.merge(answer.profile ?? [])
    return profiles.all.flatMap((profile) => profile.folded())
  }
  const expected = [
    ['main;x86_64_start_reservations;vfs_read', 250000n],
    ['vfs_read;vfs_read;inlined', 2n],
  ]
  expect(await folded(0)).toEqual(expected)
  expect(await folded(1)).toEqual(expected)
  expect((await output(PROFILE, host, 'usual')).toString()).toContain('"symbol":"vfs_read","offset":187')
  await expect(run(PROFILE, host, 'text')).rejects.toThrow(UsageError)
})

it('that is longer than a stretch is not cut', () => {
  const cutter = new Cutter(pprof)
  const piece = new Uint8Array(1 << 20)
  for (let i = 0; i < 12; i++) expect([...cutter.push(piece)]).toEqual([])
  expect(cutter.pause()).toBeUndefined()
  expect(cutter.end()?.length).toBe(12 << 20)
})

describe('damage', () => {
  it('that cuts it off is told of', () => {
    for (let length = 1; length < PROFILE.length; length += 7) {
      const { bad, events } = decoded(PROFILE.subarray(0, length))
      expect(bad.length > 0 || events.length < 2).toBe(true)
    }
    expect(decoded(PROFILE.subarray(0, PROFILE.length - 3)).bad).toEqual([expect.stringMatching(/cut off/)])
    expect(decoded(gzipSync('hello')).bad).toEqual([expect.stringMatching(/no pprof profile/)])
    expect(decoded(gzipSync(PROFILE).subarray(0, 50)).bad).toHaveLength(1)
  })
  it('of any kind gives a typed error or samples, and does not hang', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 20 }), (changes) => {
        const bytes = Buffer.from(PROFILE)
        for (const [place, byte] of changes) bytes[place % bytes.length] = byte
        decoded(bytes)
      }),
      { numRuns: 300 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => void decoded(bytes)),
      { numRuns: 300 },
    )
  })
})

describe('what a few bytes may become', () => {
  /** A profile of samples that refer to one location with many inlined functions. */
  const expanding = (samples: number, references: number, lines: number, name: string) => {
    const location = [...number(1, 1), ...new Array(lines).fill(inner(4, number(1, 1))).flat()]
    const sample = inner(1, new Array<number>(references).fill(1))
    return Buffer.concat([
      Buffer.from([...inner(1, number(1, 1)), ...text(6, ''), ...text(6, 'n')]),
      Buffer.from(text(6, name)),
      Buffer.from([...inner(5, [...number(1, 1), ...number(2, 2)]), ...inner(4, location)]),
      ...new Array<Buffer>(samples).fill(Buffer.from(inner(2, sample))),
    ])
  }

  it.each([
    ['samples that refer to much', () => expanding(100, 1000, 2000, 'f')],
    ['a name that is long', () => expanding(100, 100, 10, 'f'.repeat(20_000))],
    ['empty messages', () => Buffer.alloc(20 << 20, Buffer.from([0x12, 0]))],
    ['bytes that are packed', () => Buffer.concat(new Array<Buffer>(40).fill(gzipSync(Buffer.alloc(4 << 20))))],
  ])('%s: LIMIT', async (_, make) => {
    await expect(run(make(), host, 'ndjson', { input: 'pprof' })).rejects.toMatchObject({ code: 'LIMIT' })
  })
})

describe('the layout of a profile', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kerndex-pprof-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const KERNEL = 'eb4fbcd037e7253717950bf2b93bd5566f47c56f'
  const MODULE = 'ab'.repeat(20)
  interface Mapping {
    readonly file: string
    readonly start: bigint
    readonly offset?: bigint
    readonly id?: string
  }
  /** A profile of mappings, one of node's among them, and a sample. */
  const profileOf = (mappings: readonly Mapping[]) => {
    const words = ['', 'samples', 'count', ...mappings.flatMap(({ file, id = '' }) => [file, id])]
    return Buffer.from([
      ...inner(1, [...number(1, 1), ...number(2, 2)]),
      ...inner(2, [...number(1, 1), ...number(2, 1)]),
      ...mappings.flatMap(({ start, offset = 0n }, i) =>
        inner(3, [
          ...number(1, i + 1),
          ...number(2, start),
          ...number(3, start + 0x10000n),
          ...number(4, offset),
          ...number(5, 3 + 2 * i),
          ...number(6, 4 + 2 * i),
        ]),
      ),
      ...inner(4, [...number(1, 1), ...number(2, 1), ...number(3, 0xffffffff9a6b8aabn)]),
      ...words.flatMap((word) => text(6, word)),
      ...number(9, 1_714_521_600_000_000_000n),
    ])
  }
  const written = async (bytes: Buffer) => {
    const path = join(folder, 'profile.pb.gz')
    writeFileSync(path, bytes)
    const { absences } = await writeLayout(join(folder, 'of.layout'), { from: path, replace: true })
    return { ...readLayout(join(folder, 'of.layout')), absences }
  }
  const kernel = { start: 0xffffffff9a600000n, id: KERNEL }
  const others = [
    { file: '/usr/bin/node', start: 0x400000n, id: 'cd'.repeat(20) },
    { file: '/lib/modules/6.1/kernel/fs/ext4/ext4.ko.xz', start: 0xffffffffc0100000n, id: MODULE.toUpperCase() },
    { file: '[nfsd]', start: 0xffffffffc0200000n },
    { file: '[vdso]', start: 0x7fff00000000n },
  ]

  it('is what its mappings tell, packed or not', async () => {
    for (const symbol of ['_text', '_stext']) {
      for (const offset of [0n, kernel.start]) {
        const bytes = profileOf([...others, { ...kernel, file: `[kernel.kallsyms]${symbol}`, offset }])
        for (const form of [bytes, gzipSync(bytes)]) {
          const layout = await written(form)
          expect(layout).toMatchObject({ buildId: KERNEL, anchor: { name: symbol, address: kernel.start } })
          expect(layout.taken).toEqual(new Date('2024-05-01T00:00:00Z'))
          expect(layout.modules.map(({ name, address, buildId }) => [name, address, buildId])).toEqual([
            ['ext4', 0xffffffffc0100000n, MODULE],
            ['nfsd', 0xffffffffc0200000n, undefined],
          ])
          expect(layout.absences.map(({ what }) => what)).toContain('module_sections')
        }
      }
    }
  })

  it('is what its mappings tell that are named as kerndex names them', async () => {
    const own = [
      { file: 'nfsd', start: 0xffffffffc0200000n },
      { file: '[vsyscall]', start: 0xffffffffff600000n },
    ]
    const layout = await written(profileOf([{ ...kernel, file: 'vmlinux' }, ...own]))
    expect(layout).toMatchObject({ buildId: KERNEL, anchor: { name: '_text', address: kernel.start } })
    expect(layout.modules.map(({ name, bytes }) => [name, bytes])).toEqual([['nfsd', 0]])
    const installed = await written(profileOf([{ ...kernel, file: '/boot/vmlinux-6.1.0' }]))
    expect(installed.anchor).toEqual({ name: '_text', address: kernel.start })
  })

  it('is none where the kernel, or its place, is not told', async () => {
    const of = (mapping: Partial<Mapping>) =>
      written(profileOf([...others, { ...kernel, file: '[kernel.kallsyms]_text', ...mapping }]))
    await expect(of({ id: '' })).rejects.toThrow(/build id/)
    await expect(of({ id: '../../etc' })).rejects.toThrow(/build id/)
    await expect(of({ file: '[kernel.kallsyms]' })).rejects.toThrow(/no mapping of a kernel/)
    await expect(of({ file: 'vmlinux', start: kernel.start + 0x1000n })).rejects.toThrow(/where the kernel lay/)
    // Of arm64, where firmware may put _text, and _stext 64 KiB behind it, at any multiple of that.
    await expect(of({ file: 'vmlinux', start: 0xffff_be12_4f60_0000n })).rejects.toThrow(/where the kernel lay/)
    await expect(of({ file: 'vmlinux', start: 0n })).rejects.toThrow(/no mapping of a kernel/)
    await expect(of({ start: 0n })).rejects.toThrow(/where the kernel lay/)
    // A mapping that begins within a page, and does not say where the symbol is, begins where nobody knows.
    await expect(of({ start: kernel.start + 0x198n })).rejects.toThrow(/where the kernel lay/)
    await expect(of({ offset: 0x1000n })).rejects.toThrow(/where the kernel lay/)
  })

  it('is refused where the profile is damaged', async () => {
    const bytes = profileOf([...others, { ...kernel, file: '[kernel.kallsyms]_text' }])
    for (let length = 0; length < bytes.length; length += 7) {
      const cut = written(bytes.subarray(0, length))
      await cut.catch((error: unknown) => expect(error).toMatchObject({ code: expect.stringMatching(/^[A-Z_]+$/) }))
    }
    await expect(written(gzipSync(bytes).subarray(0, 90))).rejects.toMatchObject({ code: expect.any(String) })
  })
})
