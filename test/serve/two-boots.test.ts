// Two boots of one build behind one server, and modules that lie elsewhere in each: profiles of both in one call of pprof, and
// Mozilla's symbolication with modules.

import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Location, Mapping, Profile, Sample, StringTable, ValueType } from 'pprof-format'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Serving } from '../../src/serve/app.ts'
import { debugIdOf } from '../../src/serve/debug-id.ts'
import { CAPTURE } from '../fixtures.ts'
import { ask, post, start } from './server.ts'

const hex = (address: bigint) => `0x${address.toString(16)}`
const NET = 'c0ffee'.repeat(6).padEnd(40, '1')
const DISK = 'd15c'.repeat(10)
/** Where each boot has the kernel, and its modules, which come in unlike order. */
const BOOTS = {
  first: { id: '1'.repeat(8), text: 0xffffffff81000000n, net: 0xffffffffc0100000n, disk: 0xffffffffc0200000n },
  second: { id: '2'.repeat(8), text: 0xffffffff9e200000n, net: 0xffffffffc0534000n, disk: 0xffffffffc0300000n },
} as const
type Boot = keyof typeof BOOTS

/** Offsets from `_text`, and from the modules' `.text`. */
const CORE = {
  _text: 0n,
  _stext: 0n,
  entry: 0x1000n,
  vfs_read: 0x2000n,
  ksys_read: 0x2400n,
  _etext: 0x8000n,
  _end: 0x9000n,
}
const OF_NET = { net_poll: 0x40n, net_rx: 0x180n }
const OF_DISK = { disk_read: 0x20n }

let buildId = ''
let serving: Serving & { readonly url: string }

/** A capture of a boot, as root takes one. */
function capture(folder: string, boot: Boot): string {
  const { id, text, net, disk } = BOOTS[boot]
  const from = join(folder, boot)
  mkdirSync(from)
  copyFileSync(join(CAPTURE, 'notes'), join(from, 'notes'))
  const lines = (start: bigint, of: Record<string, bigint>, owner = '') =>
    Object.entries(of).map(([name, at]) => `${(start + at).toString(16)} T ${name}${owner}\n`)
  const modules = [lines(net, OF_NET, '\t[net]'), lines(disk, OF_DISK, '\t[disk]')]
  if (boot === 'second') modules.reverse()
  writeFileSync(join(from, 'kallsyms'), [...lines(text, CORE), ...modules.flat()].join(''))
  writeFileSync(join(from, 'boot_id'), `${id}-0000-4000-8000-000000000000\n`)
  writeFileSync(join(from, 'modules'), `net 16384 0 - Live ${hex(net)}\ndisk 8192 0 - Live ${hex(disk)}\n`)
  writeFileSync(join(from, 'module_sections'), `net .text ${hex(net)}\ndisk .text ${hex(disk)}\n`)
  writeFileSync(join(from, 'module_identities'), `net ${NET} - Live -\ndisk ${DISK} - Live -\n`)
  return from
}

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kerndex-two-boots-'))
  const sources = (Object.keys(BOOTS) as Boot[]).map((boot) => ({ key: boot, from: capture(folder, boot) }))
  serving = await start({ sources })
  for (const { key } of sources) buildId = (await serving.tables.use(key)).identity.buildId ?? ''
})
afterAll(async () => serving?.close())

it('symbolicates kernel and modules by their own builds, field by field', async () => {
  const [kernel, net, disk] = [buildId, NET, DISK].map(debugIdOf)
  const job = {
    memoryMap: [
      ['vmlinux', kernel],
      ['net', net],
      ['disk: [weird] name', disk],
      ['other.ko', debugIdOf('ab'.repeat(20))],
      ['unasked', net],
    ],
    stacks: [
      [
        [1, 0x180 + 9],
        [0, 0x2000 + 0x11],
        [2, 0x25],
        [3, 0x40],
      ],
      [],
      // Of no module; before the first symbol of one; behind the end of another, where memory is the next one's.
      [
        [-1, 0x2000],
        [1, 0],
        [2, 0x200000],
        [0, 0x40000000],
      ],
    ],
  }
  const row = (frame: number, module: string, at: number, name?: string, more = 0) => ({
    ...{ frame, module, module_offset: `0x${at.toString(16)}` },
    ...(name !== undefined && { function: name, function_offset: `0x${more.toString(16)}` }),
  })
  const expected = {
    stacks: [
      [
        row(0, 'net', 0x189, 'net_rx', 9),
        row(1, 'vmlinux', 0x2011, 'vfs_read', 0x11),
        row(2, 'disk: [weird] name', 0x25, 'disk_read', 5),
        row(3, 'other.ko', 0x40),
      ],
      [],
      [
        row(0, '<unknown>', 0x2000),
        row(1, 'net', 0),
        row(2, 'disk: [weird] name', 0x200000),
        row(3, 'vmlinux', 0x40000000),
      ],
    ],
    found_modules: {
      [`vmlinux/${kernel}`]: true,
      [`net/${net}`]: true,
      [`disk: [weird] name/${disk}`]: true,
      [`other.ko/${debugIdOf('ab'.repeat(20))}`]: false,
      [`unasked/${net}`]: null,
    },
  }
  expect(await post(`${serving.url}symbolicate/v5`, { jobs: [job] })).toEqual({ results: [expected] })
  // Ids in small letters are the same.
  const small = { ...job, memoryMap: job.memoryMap.map(([name = '', id = '']) => [name, id.toLowerCase()]) }
  const { results } = await post<{ results: { stacks: unknown }[] }>(`${serving.url}symbolicate/v5`, small)
  expect(results[0]!.stacks).toEqual(expected.stacks)
})

it('never takes a build and its boot for another: by build id and boot id a body has its own', async () => {
  for (const boot of Object.keys(BOOTS) as Boot[]) {
    const { text, id } = BOOTS[boot]
    const bootId = `${id}-0000-4000-8000-000000000000`
    const asked = { buildId, bootId, addresses: [hex(text + CORE.vfs_read)] }
    const { table, frames } = await post<{ table: string; frames: { symbol: string }[] }>(
      `${serving.url}v1/resolve`,
      asked,
    )
    expect([table, frames[0]!.symbol]).toEqual([boot, 'vfs_read'])
  }
  const either = await ask(`${serving.url}v1/resolve`, {
    method: 'POST',
    body: JSON.stringify({ buildId, addresses: [hex(BOOTS.first.text)] }),
  })
  // Two boots are open: which is meant is the caller's to say.
  expect(either.status).toBe(409)
  // Or where the kernel lay, whichever boot that was.
  const third = 0xffffffff85000000n
  const moved = await post<{ stacks: { symbol: string }[][] }>(`${serving.url}v1/resolve`, {
    buildId,
    boot: { stext: hex(third) },
    stacks: [[hex(third + CORE.vfs_read + 4n)]],
  })
  expect(moved.stacks[0]![0]!.symbol).toBe('vfs_read')
})

/** What a collector writes of a boot: no names, one mapping over all kernel memory. */
function profileOf(boot: Boot, samples: readonly (readonly [at: bigint, count: number])[]): Buffer {
  const strings = new StringTable()
  const sampleType = [new ValueType({ type: strings.dedup('samples'), unit: strings.dedup('count') })]
  const filename = strings.dedup('[kernel.kallsyms]')
  const mapping = [new Mapping({ id: 1, memoryStart: 0xffffffff80000000n, memoryLimit: 0xffffffffff000000n, filename })]
  const location = samples.map(([address], i) => new Location({ id: i + 1, mappingId: 1, address }))
  const sample = samples.map(([, count], i) => new Sample({ locationId: [i + 1], value: [count] }))
  const profile = new Profile({
    sampleType,
    sample,
    mapping,
    location,
    stringTable: strings,
    comment: [strings.dedup(boot)],
  })
  return Buffer.from(profile.encode())
}

const hasGo = spawnSync('go', ['version']).status === 0
if (!hasGo) console.warn('go tool pprof is not tested: go is not there')

it.skipIf(!hasGo)('has pprof add up profiles of two boots in one call', async () => {
  const places = (boot: Boot) => {
    const { text, net, disk } = BOOTS[boot]
    return [text + CORE.vfs_read + 8n, text + CORE.ksys_read + 4n, net + OF_NET.net_rx + 3n, disk + OF_DISK.disk_read]
  }
  const counts = { first: [100, 200, 300, 400], second: [5, 60, 700, 8000] }
  for (const boot of Object.keys(BOOTS) as Boot[]) {
    const body = profileOf(
      boot,
      places(boot).map((at, i) => [at, counts[boot][i]!]),
    )
    expect((await ask(`${serving.url}p/${boot}?table=${boot}`, { method: 'PUT', body })).status).toBe(201)
  }
  const urls = (Object.keys(BOOTS) as Boot[]).map((boot) => `${serving.url}p/${boot}/debug/pprof/profile`)
  const env = {
    ...process.env,
    PPROF_TMPDIR: mkdtempSync(join(tmpdir(), 'kerndex-pprof-')),
    PPROF_BINARY_PATH: '/nowhere',
  }
  const child = spawn('go', ['tool', 'pprof', '-symbolize=remote', '-top', ...urls], { env })
  let out = ''
  child.stdout.on('data', (piece: Buffer) => {
    out += piece.toString()
  })
  await new Promise((resolve) => child.on('close', resolve))
  const rows = [...out.matchAll(/^\s*(\d+)\s+\S+%.*?(\S+)$/gm)].map(([, flat, name]) => [name, Number(flat)])
  expect(rows.sort((a, b) => Number(a[1]) - Number(b[1]))).toEqual([
    ['vfs_read', 105],
    ['ksys_read', 260],
    ['net_rx', 1000],
    ['disk_read', 8400],
  ])
})
