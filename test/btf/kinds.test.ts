// The table of kinds: every kind in it is decoded, printed and checked, and its rows are what the kernel's header and captures say.
import { describe, expect, test } from 'vitest'
import * as format from '../../src/btf/format.ts'
import { hasNoSize, hasSize, isComposite, isDeclaration, isEnum, isModifier, KINDS } from '../../src/btf/kinds.ts'
import { dumpRaw } from '../../src/btf/print/raw.ts'
import { sizeOf } from '../../src/btf/read/sizes.ts'
import { decodeType } from '../../src/btf/read/type.ts'
import { checkBtf } from '../../src/btf/verify/check.ts'
import { debian, oneSet, shared } from './fixtures.ts'

const numbered = [...KINDS.entries()].slice(1)

/** A blob with an INT, and then one type of a kind, whose references are to the INT and whose name is `a`. */
function blobOf(kind: number): Uint8Array<SharedArrayBuffer> {
  const row = KINDS[kind]!
  const words = [1, 0x0100_0000, 4, 32]
  const wordOf = (word: string): number => (word.endsWith('type_id') ? 1 : word === 'name' ? 3 : 0)
  const third = row.third === undefined ? 0 : row.third === 'size' ? 4 : 1
  words.push(3, ((kind << 24) | (row.element ? 1 : 0)) >>> 0, third)
  words.push(...(row.words ?? []).map(wordOf), ...(row.element ?? []).map(wordOf))
  const header = [0x0001eb9f, 24, 0, 4 * words.length, 4 * words.length, 5]
  const bytes = Buffer.alloc(4 * (header.length + words.length) + 5)
  for (const [i, word] of [...header, ...words].entries()) bytes.writeUInt32LE(word, 4 * i)
  bytes.write('\0i\0a\0', bytes.length - 5, 'latin1')
  return shared(bytes)
}

describe('every kind', () => {
  test('has the number of its name', () => {
    const numbers = Object.entries(format).filter(([name]) => name.startsWith('KIND_'))
    expect(numbers).toEqual(expect.arrayContaining([...KINDS.entries()].map(([i, { name }]) => [`KIND_${name}`, i])))
    expect(numbers.length).toBe(KINDS.length)
  })

  test.each(numbered)('%i is decoded', (kind, { name }) => {
    const set = oneSet('one', blobOf(kind))
    expect(set.size).toBe(2)
    expect(decodeType(set, 2)).toMatchObject({ kind: name, name: 'a' })
  })

  test.each(numbered)('%i is printed with all its words', (kind, { name, element }) => {
    const line = [...dumpRaw(oneSet('one', blobOf(kind)))].join('').split('\n').slice(1)
    // Beside number, kind and name there is something that only this kind's printing can have written.
    expect(line[0]).toMatch(new RegExp(`^\\[2\\] ${name} 'a' \\w+=`))
    if (element) expect(line[1]).toMatch(/^\t.*=/)
  })

  test.each(numbered)(
    '%i is checked: a size or a reference out of the range is refused',
    (kind, { third, fixedTypes }) => {
      if (third === undefined && fixedTypes === 0) return
      const bytes = blobOf(kind)
      const words = new DataView(bytes.buffer)
      const at = 24 + 16 + (third === undefined ? 12 : 8)
      words.setUint32(at, third === 'size' ? 0xffff_fff3 : 0xffff_fff0, true)
      const result = checkBtf(bytes, { strict: true })
      // Sizes of structs and of sections are judged by their members.
      if (third === 'size' && (isComposite(kind) || kind === format.KIND_DATASEC || kind === format.KIND_INT)) return
      expect(result.ok).toBe(false)
    },
  )

  test('has a size or none as libbpf and the kernel see it', () => {
    const types = debian()
    const vmlinux = types.set('vmlinux')!
    const seen = new Set<number>()
    for (let id = 1; id < vmlinux.endId; id++) {
      const kind = vmlinux.kindNumberOf(id)
      seen.add(kind)
      if (hasSize(kind) !== (KINDS[kind]!.size === 'own')) throw new Error(`${id}`)
      if (hasSize(kind) && sizeOf(vmlinux, id) !== vmlinux.refOf(id)) throw new Error(`[${id}] has another size`)
      if (KINDS[kind]!.size === 'none' && sizeOf(vmlinux, id) !== undefined) throw new Error(`[${id}] has a size`)
    }
    // Linux 6.1 has no kind that came later.
    for (const kind of seen) {
      const [major, minor] = KINDS[kind]!.since.split('.').map(Number)
      expect(major! * 1000 + minor!).toBeLessThanOrEqual(6001)
    }
    expect(seen.size).toBeGreaterThan(12)
  })

  test('belongs to one group at most', () => {
    for (const [kind] of KINDS.entries()) {
      const groups = [isModifier, isComposite, isEnum, isDeclaration].filter((each) => each(kind))
      expect(groups.length).toBeLessThanOrEqual(1)
      expect(hasSize(kind) && hasNoSize(kind)).toBe(false)
    }
  })
})
