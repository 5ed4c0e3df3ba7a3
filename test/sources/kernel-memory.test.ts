// Bytes of a core file such as /proc/kcore: files made up by the ELF format's description.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readKernelMemory } from '../../src/sources/kernel-memory.ts'

interface Segment {
  readonly type: number
  readonly address: bigint
  readonly bytes: Buffer
}

function coreFile(segments: readonly Segment[]): Buffer {
  const header = Buffer.alloc(64)
  header.write('\x7fELF\x02\x01\x01', 'latin1')
  header.writeBigUInt64LE(64n, 32)
  header.writeUInt16LE(56, 54)
  header.writeUInt16LE(segments.length, 56)
  let position = 64 + 56 * segments.length
  const headers = segments.map(({ type, address, bytes }) => {
    const entry = Buffer.alloc(56)
    entry.writeUInt32LE(type, 0)
    entry.writeBigUInt64LE(BigInt(position), 8)
    entry.writeBigUInt64LE(address, 16)
    entry.writeBigUInt64LE(BigInt(bytes.length), 32)
    position += bytes.length
    return entry
  })
  return Buffer.concat([header, ...headers, ...segments.map(({ bytes }) => bytes)])
}

const NOTE = { type: 4, address: 0n, bytes: Buffer.alloc(32, 7) }
const LOW = { type: 1, address: 0xffff888000000000n, bytes: Buffer.from('the direct map of all memory') }
const TEXT = { type: 1, address: 0xffffffff81000000n, bytes: Buffer.from('code of the kernel') }

const folder = mkdtempSync(join(tmpdir(), 'kerndex-memory-'))
afterAll(() => rmSync(folder, { recursive: true }))
const written = (name: string, bytes: Buffer): string => {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

describe('memory of the running kernel', () => {
  const path = written('core', coreFile([NOTE, LOW, TEXT]))

  test.each([
    [LOW.address, 3, 'the'],
    [TEXT.address, 18, 'code of the kernel'],
    [TEXT.address + 8n, 3, 'the'],
    [TEXT.address, 0, ''],
  ])('%s, %i bytes', (address, length, expected) => {
    expect(Buffer.from(readKernelMemory(path, address, length) as Uint8Array).toString()).toBe(expected)
  })

  test.each([
    ['before a segment', TEXT.address - 1n, 4],
    ['over its end', TEXT.address + 15n, 4],
    ['in none', 0n, 1],
  ])('%s: a reason', (_, address, length) => {
    expect(readKernelMemory(path, address, length)).toEqual({
      what: path,
      reason: expect.stringContaining('it has not'),
    })
  })

  test.each([
    ['no file', join(folder, 'none'), 'not there'],
    ['another kind of file', written('text', Buffer.from('kallsyms'.repeat(20))), 'it is no core file'],
    ['a file that is cut', written('cut', coreFile([TEXT]).subarray(0, 125)), 'it has not'],
    ['a header that is cut', written('header', coreFile([TEXT]).subarray(0, 70)), 'it has not'],
  ])('%s: a reason', (_, file, reason) => {
    expect(readKernelMemory(file, TEXT.address, 8)).toEqual({ what: file, reason: expect.stringContaining(reason) })
  })

  test('a range that no table has is not read', () => {
    expect(readKernelMemory(path, TEXT.address, 2 ** 30)).toMatchObject({ reason: expect.stringContaining('range') })
  })
})
