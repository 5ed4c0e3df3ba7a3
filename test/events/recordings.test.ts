// perf.data beside its text: a recording of perf's own (`perf record -e cpu-clock:k`, perf 6.1), whose header perf itself reads as
// build id 85c7… of kernel 6.18.44-fc-v782, and what is made of it when it is cut or claims anything.

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { recordedLayout } from '../../src/load/recorded-layout.ts'
import { readPerfHeader, readPerfMappings } from '../../src/sources/perf-data.ts'
import { kerndexes } from '../cli/run.ts'
import { edge, fixturePath } from '../fixtures.ts'

const BUILD_ID = '85c7e4e2ed76f4417e8aaad7c6b040d2bb897a26'
const RELEASE = '6.18.44-fc-v782'
const recording = gunzipSync(readFileSync(fixturePath('events/perf.data.gz')))
const folder = mkdtempSync(join(tmpdir(), 'kerndex-recordings-'))
const file = (name: string, bytes: string | Buffer) => {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

/** A capture of the edge cases' kernel with a build id or a release, and the identities of its modules. */
function capture(name: string, facts: { buildId?: string; release?: string; identities?: string }): string {
  const path = mkdtempSync(join(folder, name))
  writeFileSync(join(path, 'kallsyms'), edge('edge'))
  const { buildId, release, identities } = facts
  if (buildId !== undefined) {
    const head = Buffer.from(Uint32Array.of(4, 20, 3).buffer)
    writeFileSync(join(path, 'notes'), Buffer.concat([head, Buffer.from('GNU\0'), Buffer.from(buildId, 'hex')]))
  }
  if (release !== undefined) writeFileSync(join(path, 'version'), `Linux version ${release} (x@y) #1\n`)
  if (identities !== undefined) writeFileSync(join(path, 'module_identities'), identities)
  return path
}

/** PERF_RECORD_MMAP or MMAP2, as perf writes it of the kernel. */
function mapping(
  type: 1 | 10,
  name: string,
  { start, offset = 0n, id = '', mode = 1 }: { start: bigint; offset?: bigint; id?: string; mode?: number },
): Buffer {
  const head = Buffer.alloc(type === 1 ? 40 : 72)
  head.writeUInt32LE(type, 0)
  head.writeUInt16LE(mode | (id === '' ? 0 : 1 << 14), 4)
  head.writeBigUInt64LE(start, 16)
  head.writeBigUInt64LE(4096n, 24)
  head.writeBigUInt64LE(offset, 32)
  if (type === 10) {
    head[40] = id.length / 2
    head.write(id, 44, 'hex')
  }
  const text = Buffer.alloc(Math.ceil((name.length + 1) / 8) * 8)
  text.write(name, 'latin1')
  head.writeUInt16LE(head.length + text.length, 6)
  return Buffer.concat([head, text])
}

/** The recording with other events. */
function withEvents(events: Buffer): Buffer {
  const [at, length] = [40, 48].map((place) => Number(recording.readBigUInt64LE(place))) as [number, number]
  const head = Buffer.from(recording.subarray(0, at))
  head.writeBigUInt64LE(BigInt(events.length), 48)
  const features = Buffer.from(recording.subarray(at + length))
  // Where each feature lies is counted from the file's beginning.
  for (let row = 0; row + 16 <= features.length; row += 16) {
    const place = Number(features.readBigUInt64LE(row))
    if (place < at + length || place > recording.length) break
    features.writeBigUInt64LE(BigInt(place - length + events.length), row)
  }
  return Buffer.concat([head, events, features])
}

describe('the header of perf.data', () => {
  it('is read as perf reads it', async () => {
    const header = await readPerfHeader(file('whole.data', recording))
    expect(header).toEqual({ release: RELEASE, buildId: BUILD_ID, files: new Map() })
  })

  it('tells where the image was, as perf script prints it', async () => {
    const [image, ...modules] = await readPerfMappings(file('mapped.data', recording))
    expect(modules).toEqual([])
    expect(image).toMatchObject({
      file: '[kernel.kallsyms]_text',
      start: 0xffffffff81000000n,
      offset: 0xffffffff81000000n,
    })
    const layout = await recordedLayout(file('mapped.data', recording), 3)
    expect(layout).toMatchObject({
      buildId: BUILD_ID,
      release: RELEASE,
      anchor: { name: '_text', address: 0xffffffff81000000n },
      modules: [],
      generation: 3,
    })
  })

  it('tells where modules were, by their files or in brackets, and what is damaged is left out', async () => {
    const events = [
      mapping(1, '[kernel.kallsyms]_stext', { start: 0xffffffff9a000000n, offset: 0xffffffff9a000000n }),
      mapping(1, '/lib/modules/6.18/kernel/net/nf-tables.ko.xz', { start: 0xffffffffc0100000n }),
      mapping(10, '[nfsd]', { start: 0xffffffffc0200000n, id: 'ab'.repeat(20) }),
      mapping(1, '/usr/bin/bash', { start: 0x400000n, mode: 2 }),
      mapping(1, '[nfsd]', { start: 0xffffffffc0300000n }),
    ]
    const whole = file('modules.data', withEvents(Buffer.concat(events)))
    const { anchor, modules } = await recordedLayout(whole, 1)
    expect(anchor).toEqual({ name: '_stext', address: 0xffffffff9a000000n })
    expect(modules.map(({ name, address, bytes, buildId }) => [name, address, bytes, buildId])).toEqual([
      ['nf_tables', 0xffffffffc0100000n, 4096, undefined],
      ['nfsd', 0xffffffffc0200000n, 4096, 'ab'.repeat(20)],
    ])
    const cut = Buffer.concat([events[0]!, Buffer.alloc(8)])
    expect((await recordedLayout(file('cut-events.data', withEvents(cut)), 1)).modules).toEqual([])
    const hidden = mapping(1, '[kernel.kallsyms]_text', { start: 0n, offset: 0n })
    await expect(recordedLayout(file('hidden.data', withEvents(hidden)), 1)).rejects.toThrow(/where the kernel lay/)
    await expect(recordedLayout(file('short.data', recording.subarray(0, 200)), 1)).rejects.toThrow(
      /no mapping of a kernel/,
    )
  })

  it('tells the build id in a mapping alone, as with --buildid-mmap, and what perf wrote into a pipe', async () => {
    const at = { start: 0xffffffff9a000000n, offset: 0xffffffff9a000000n }
    const image = mapping(10, '[kernel.kallsyms]_text', { ...at, id: BUILD_ID })
    const module = mapping(10, '[nfsd]', { start: 0xffffffffc0200000n, id: 'ab'.repeat(20) })
    const pipe = (...events: Buffer[]) => {
      const head = Buffer.from('PERFILE2\x10\0\0\0\0\0\0\0', 'latin1')
      return Buffer.concat([head, ...events])
    }
    // HEADER_FEATURE of the release; TRACING_DATA, whose data follow it; HEADER_BUILD_ID.
    const release = Buffer.alloc(16 + 4 + 12)
    release.writeUInt32LE(80, 0)
    release.writeUInt16LE(release.length, 6)
    release.writeUInt32LE(4, 8)
    release.writeUInt32LE(12, 16)
    release.write('6.1.0-x', 20)
    const tracing = Buffer.alloc(12 + 16)
    tracing.writeUInt32LE(66, 0)
    tracing.writeUInt16LE(12, 6)
    tracing.writeUInt32LE(13, 8)
    const id = Buffer.alloc(36 + 24)
    id.writeUInt32LE(67, 0)
    id.writeUInt16LE(1, 4)
    id.writeUInt16LE(id.length, 6)
    id.write('cd'.repeat(20), 12, 'hex')
    id.write('[kernel.kallsyms]', 36)
    const plain = mapping(1, '[kernel.kallsyms]_text', at)
    const piped = await recordedLayout(file('piped.data', pipe(release, tracing, image, module)), 1)
    expect(piped).toMatchObject({ buildId: BUILD_ID, release: '6.1.0-x', anchor: { name: '_text', address: at.start } })
    expect(piped.modules.map(({ name, buildId }) => [name, buildId])).toEqual([['nfsd', 'ab'.repeat(20)]])
    expect((await recordedLayout(file('told.data', pipe(id, plain)), 1)).buildId).toBe('cd'.repeat(20))
    await expect(recordedLayout(file('untold.data', pipe(plain)), 1)).rejects.toThrow(/--buildid-all/)
    const bytes = pipe(release, tracing, image, id, module)
    for (let length = 0; length < bytes.length; length += 7) {
      expect(typeof (await readPerfHeader(file('cut-pipe.data', bytes.subarray(0, length))))).toBe('object')
    }
  })

  it('may be cut anywhere, and hold any numbers', async () => {
    const path = join(folder, 'cut.data')
    let whole = 0
    for (let length = 0; length <= recording.length; length += 61) {
      writeFileSync(path, recording.subarray(0, length))
      const { buildId } = await readPerfHeader(path)
      if (buildId === BUILD_ID) whole++
      else expect(buildId).toBeUndefined()
    }
    expect(whole).toBeGreaterThan(0)
    for (let at = 8; at < 104; at += 4) {
      const changed = Buffer.from(recording)
      changed.fill(0xff, at, at + 4)
      writeFileSync(path, changed)
      expect(typeof (await readPerfHeader(path))).toBe('object')
      expect(Array.isArray(await readPerfMappings(path))).toBe(true)
    }
  })
})

describe('a recording beside its text', () => {
  const perf = file('perf.data', recording)
  const text = file(
    'perf.txt',
    'sh 1 [000] 1.0: 1 cpu-clock: \n\tffffffff81000018 f_global+0x8 ([kernel.kallsyms])\n\n',
  )
  const own = capture('own', { buildId: BUILD_ID, release: RELEASE })
  const other = capture('other', { buildId: BUILD_ID.replace('85', '58') })
  const released = capture('released', { release: '5.10.0' })
  const unknown = capture('unknown', {})
  const words = `the recording is of kernel ${RELEASE}, build id ${BUILD_ID}`

  it('says whether the symbols are of its kernel', async () => {
    const lines = [own, other, released, unknown].map((from) => [
      'resolve',
      text,
      perf,
      '--from',
      from,
      '--threads',
      '0',
    ])
    const outcomes = await kerndexes(lines)
    expect(outcomes.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, `kerndex: ${perf}: ${words}, as the symbols are\n`],
      [2, expect.stringContaining(`${words}, the symbols are of build id 58c7`)],
      [2, expect.stringContaining(`${words}, the symbols are of 5.10.0: give --from`)],
      [0, `kerndex: ${perf}: ${words}; the symbols have no build id to compare it with\n`],
    ])
    for (const { code, stdout } of outcomes) expect(stdout.includes('f_global')).toBe(code === 0)
  })

  it('tells of modules of another build', async () => {
    // The record of the kernel's build id, once more for a module.
    const record = Buffer.alloc(36 + 16)
    record.writeUInt32LE(67, 0)
    record.writeUInt16LE(1, 4)
    record.writeUInt16LE(record.length, 6)
    record.fill(0xab, 12, 32)
    record.write('[mod_a]\0', 36)
    const start = Number(recording.readBigUInt64LE(40) + recording.readBigUInt64LE(48))
    const features = [...recording.subarray(72, 104)].flatMap((byte, i) =>
      [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (byte >> bit) & 1).map((bit) => 8 * i + bit),
    )
    const entry = start + 16 * features.indexOf(2)
    const [at, size] = [Number(recording.readBigUInt64LE(entry)), Number(recording.readBigUInt64LE(entry + 8))]
    const changed = Buffer.concat([recording, recording.subarray(at, at + size), record])
    changed.writeBigUInt64LE(BigInt(recording.length), entry)
    changed.writeBigUInt64LE(BigInt(size + record.length), entry + 8)
    const data = file('modules.data', changed)
    const identities = (id: string) => `mod_a ${id} - live -\nmod_b ${'cd'.repeat(20)} - live -\n`
    const froms = ['ab', 'ac'].map((byte) =>
      capture('modules', { buildId: BUILD_ID, identities: identities(byte.repeat(20)) }),
    )
    const outcomes = await kerndexes(froms.map((from) => ['resolve', data, text, '--from', from, '--threads', '0']))
    expect(outcomes.map(({ stderr }) => stderr)).toEqual([
      `kerndex: ${data}: ${words}, as the symbols are\n`,
      `kerndex: ${data}: ${words}, as the symbols are; of another build are the modules mod_a\n`,
    ])
  })

  it('is no trace by itself', async () => {
    const [outcome] = await kerndexes([['resolve', perf, '--from', own, '--threads', '0']])
    expect([outcome?.code, outcome?.stdout]).toEqual([3, ''])
    expect(outcome?.stderr).toMatch(
      /run `perf script` on it first.*the recording is of kernel 6\.18.*as the symbols are/,
    )
  })
})
