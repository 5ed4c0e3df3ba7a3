// Names that several ask for at once: whoever is first reads them, and nobody reads on from a file that has been let go of.
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checksum } from '../../src/core/blocks.ts'
import { BadFormatError } from '../../src/core/errors.ts'
import { BLOCK_BYTES } from '../../src/snapshot/format.ts'
import { LateNames } from '../../src/snapshot/late-names.ts'
import { PartMemory } from '../../src/snapshot/part-memory.ts'

const folder = mkdtempSync(join(tmpdir(), 'kerndex-late-'))
const path = join(folder, 'names')
const other = join(folder, 'other')
/** Several pieces of a millisecond, and a part of a block. */
const content = Buffer.from(
  Uint8Array.from({ length: 70 * BLOCK_BYTES + 999 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24),
)
beforeAll(() => {
  writeFileSync(path, content)
  writeFileSync(
    other,
    content.map((byte) => byte ^ 0xff),
  )
})
afterAll(() => rmSync(folder, { recursive: true }))

const sums = Uint32Array.from({ length: Math.ceil(content.length / BLOCK_BYTES) }, (_, i) =>
  checksum(content.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES)),
)

/** Names in the file, of which one block is said to have another checksum; letting go of it opens another file in its place. */
function open(damaged?: number) {
  const file = openSync(path, 'r')
  const own = sums.slice()
  if (damaged !== undefined) own[damaged]! ^= 1
  const memory = new PartMemory(file, { offset: 0, length: content.length, sums: own }, (error) => error)
  let taken: number | undefined
  const release = () => {
    closeSync(file)
    taken = openSync(other, 'r')
    expect(taken).toBe(file)
  }
  const end = () => closeSync(taken!)
  return { memory, names: new LateNames(memory, release), end }
}

const isWhole = (memory: PartMemory) => content.equals(Buffer.from(memory.buffer))

describe('names that several ask for', () => {
  it('are read by whoever cannot wait, and the other stops', () => {
    const { memory, names, end } = open()
    const first = names.bring()
    expect(first.next().done).toBe(false)
    names.now()
    expect(isWhole(memory)).toBe(true)
    expect(first.next().done).toBe(true)
    expect(isWhole(memory)).toBe(true)
    expect([...names.bring()]).toEqual([])
    end()
  })

  it('are read by two in pieces', () => {
    const { memory, names, end } = open()
    const both = [names.bring(), names.bring()]
    for (let open = 2; open > 0; ) open = both.filter((each) => each.next().done !== true).length
    expect(isWhole(memory)).toBe(true)
    end()
  })

  it('are damaged for both, and for everybody from then on', () => {
    const { names, end } = open(60)
    const first = names.bring()
    expect(first.next().done).toBe(false)
    expect(() => names.now()).toThrow(BadFormatError)
    expect(() => first.next()).toThrow(BadFormatError)
    expect(() => names.now()).toThrow(BadFormatError)
    end()
  })
})

it('what is there is not read again when it is needed', () => {
  const { memory, names, end } = open()
  memory.need(BLOCK_BYTES + 5, 3 * BLOCK_BYTES)
  const there = new Uint8Array(memory.buffer)
  expect([there[0], there[BLOCK_BYTES], there[3 * BLOCK_BYTES]]).toEqual([0, content[BLOCK_BYTES], 0])
  there[BLOCK_BYTES] = 1
  memory.need(BLOCK_BYTES, BLOCK_BYTES + 1)
  names.now()
  expect(there[BLOCK_BYTES]).toBe(1)
  const file = openSync(path, 'r')
  const again = Buffer.alloc(BLOCK_BYTES)
  readSync(file, again, 0, BLOCK_BYTES, 0)
  expect(Buffer.from(there.subarray(0, BLOCK_BYTES)).equals(again)).toBe(true)
  closeSync(file)
  end()
})
