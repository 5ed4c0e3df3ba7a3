// perf.data beside its text: a recording of perf's own (`perf record -e cpu-clock:k`, perf 6.1), whose header perf itself reads as
// build id 85c7… of kernel 6.18.44-fc-v782, and what is made of it when it is cut or claims anything.

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { readPerfHeader } from '../../src/sources/perf-data.ts'
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

describe('the header of perf.data', () => {
  it('is read as perf reads it', async () => {
    const header = await readPerfHeader(file('whole.data', recording))
    expect(header).toEqual({ release: RELEASE, buildId: BUILD_ID, files: new Map() })
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
