// Types that are stored: what is answered from the few bytes that were asked for is what all of them together answer, and what
// cannot be told from those is left to them.
import { describe, expect, it } from 'vitest'
import { ROW_FIRST_ID, ROW_WORDS } from '../../src/btf/read/index-layout.ts'
import { hashByteString } from '../../src/btf/read/names.ts'
import { type StoredIndex, StoredTypes } from '../../src/btf/read/stored-types.ts'
import { BadFormatError } from '../../src/core/errors.ts'
import type { StoredBytes } from '../../src/core/stored-bytes.ts'
import { debian } from './fixtures.ts'

const PIECE = 64

/** Memory that is empty but for the pieces that were asked for. */
function storedCopy(from: SharedArrayBuffer): StoredBytes & { readonly brought: () => number } {
  const all = new Uint8Array(from)
  const buffer = new SharedArrayBuffer(from.byteLength)
  const bytes = new Uint8Array(buffer)
  const there = new Set<number>()
  return {
    buffer,
    need(start, end) {
      for (let piece = Math.floor(start / PIECE); piece * PIECE < Math.min(end, all.length); piece++) {
        bytes.set(all.subarray(piece * PIECE, (piece + 1) * PIECE), piece * PIECE)
        there.add(piece)
      }
    },
    brought: () => there.size * PIECE,
  }
}

/** The sets of the fixtures as they would be stored, group by group. */
function stored(change: (index: StoredIndex) => StoredIndex = (index) => index) {
  const { records } = debian()
  const groups = new Map<SharedArrayBuffer, (typeof records)[number][]>()
  for (const record of records) groups.set(record.index, [...(groups.get(record.index) ?? []), record])
  const memories: ReturnType<typeof storedCopy>[] = []
  const indexes = [...groups.values()].map((sets) => {
    const own = [...sets].sort((a, b) => a.indexOffset - b.indexOffset)
    const [first] = own
    const bytes = own.reduce((sum, { blobLength }) => sum + Math.ceil(blobLength / 8) * 8, 0)
    const packed = new SharedArrayBuffer(bytes)
    let at = 0
    const places = own.map(({ blob: from, blobOffset, blobLength }) => {
      new Uint8Array(packed, at, blobLength).set(new Uint8Array(from, blobOffset, blobLength))
      const place = at
      at += Math.ceil(blobLength / 8) * 8
      return place
    })
    const memory = { index: storedCopy(first!.index), blobs: storedCopy(packed) }
    memories.push(memory.index, memory.blobs)
    return change({
      ...memory,
      sets: own.map((record, i) => ({
        record: { ...record, index: memory.index.buffer, blob: memory.blobs.buffer, blobOffset: places[i]! },
        rank: records.indexOf(record),
        sound: true,
      })),
    })
  })
  return { types: new StoredTypes(indexes), brought: () => memories.reduce((sum, { brought }) => sum + brought(), 0) }
}

const ask = (types: StoredTypes, name: string) => types.find(name, hashByteString(name))

describe('types that are stored', () => {
  it('give by name what all of them give, in the same order', () => {
    const all = debian()
    const { types } = stored()
    let several = 0
    for (const set of all.sets) {
      for (let id = set.firstId; id < set.endId; id += set.name === 'vmlinux' ? 97 : 5) {
        const name = set.nameOf(id)
        if (name === '') continue
        const expected = all.find(name)
        if (expected.length > 1) several++
        expect(ask(types, name)?.map(({ module, id }) => [module, id])).toEqual(
          expected.map(({ module, id }) => [module, id]),
        )
        expect(ask(types, `${name}_not`)).toEqual(all.find(`${name}_not`))
      }
    }
    expect(several).toBeGreaterThan(10)
  })

  it('give by id what all of them give, of the set that the others are split on', () => {
    const all = debian()
    const { types } = stored()
    const vmlinux = all.requireSet('vmlinux')
    for (let id = 1; id < vmlinux.endId; id += 61) expect(types.get('vmlinux', id)).toEqual(all.get(id))
    expect(types.get('vmlinux', vmlinux.endId - 1)).toEqual(all.get(vmlinux.endId - 1))
    for (const id of [0, -1, 1.5, vmlinux.endId]) expect(types.get('vmlinux', id)).toBeUndefined()
    expect(types.get(all.sets[1]!.name, all.sets[1]!.firstId)).toBeUndefined()
  })

  it('bring little into memory', () => {
    const { types, brought } = stored()
    expect(ask(types, 'task_struct')).toHaveLength(1)
    // The rows of the sets, and a handful of pieces.
    const rows = debian().records.length * ROW_WORDS * 4
    expect(brought()).toBeLessThan(rows + 40 * PIECE)
    expect(types.get('vmlinux', ask(types, 'task_struct')![0]!.id)).toMatchObject({ kind: 'STRUCT' })
    expect(brought()).toBeLessThan(rows + 1_500 * PIECE)
  })

  it('leave to all what hangs on more: sets that may not fit their base, and those that are not wanted', () => {
    const doubtful = stored((index) => ({ ...index, sets: index.sets.map((set) => ({ ...set, sound: false })) }))
    expect(ask(doubtful.types, 'task_struct')).toBeUndefined()
    expect(ask(doubtful.types, 'no_such_type')).toEqual([])
    const unwanted = stored((index) => ({
      ...index,
      sets: index.sets.map((set) => ({ ...set, rank: set.record.name === 'vmlinux' ? 0 : undefined })),
    }))
    const [, module] = debian().sets
    const own = module!.nameOf(
      [...Array(module!.size).keys()].map((i) => module!.firstId + i).find((id) => module!.nameOf(id) !== '')!,
    )
    expect(ask(unwanted.types, own)?.every(({ module: name }) => name === 'vmlinux')).toBe(true)
  })

  it('refuse rows that lead elsewhere before they follow them', () => {
    for (const word of [0, 0xffffffff]) {
      const { types } = stored((index) => {
        const need = index.index.need.bind(index.index)
        const broken = {
          buffer: index.index.buffer,
          need(from: number, to: number) {
            need(from, to)
            new Uint32Array(index.index.buffer, index.sets[0]!.record.indexOffset, ROW_WORDS)[ROW_FIRST_ID] = word
          },
        }
        return { ...index, index: broken }
      })
      expect(() => ask(types, 'task_struct')).toThrow(BadFormatError)
    }
  })

  it('are not decoded where a record is longer or shorter than its place', () => {
    const all = debian()
    const id = all.find('task_struct', { kind: 'STRUCT' })[0]!.id
    const at = all.requireSet('vmlinux').position(id) * 4
    for (const info of [0x04000001, 0x04ffffff, 0x7f000001]) {
      const { types } = stored((index) => {
        if (index.sets[0]!.record.name !== 'vmlinux') return index
        const offset = at - all.records[0]!.blobOffset
        const need = index.blobs.need.bind(index.blobs)
        const broken = {
          buffer: index.blobs.buffer,
          need(from: number, to: number) {
            need(from, to)
            new Uint32Array(index.blobs.buffer, offset, 2)[1] = info
          },
        }
        return { ...index, blobs: broken }
      })
      expect(types.get('vmlinux', id)).toBeUndefined()
    }
  })
})
