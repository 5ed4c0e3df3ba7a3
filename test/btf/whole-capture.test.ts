// All sets of a large capture against the plain decoder, and what only large data shows. Runs where KERNDEX_CAPTURE names a
// directory with btf/vmlinux and btf/MODULE.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { dumpRaw } from '../../src/btf/print/raw.ts'
import { indexTypes, readShape } from '../../src/btf/read/index-types.ts'
import { Types } from '../../src/btf/types.ts'
import { checkBtf } from '../../src/btf/verify/check.ts'
import { shared } from './fixtures.ts'
import { decodePlainly, type PlainType } from './plain-decoder.ts'

const capture = process.env.KERNDEX_CAPTURE

describe.runIf(capture)('a whole capture', () => {
  const directory = join(capture ?? '', 'btf')
  const read = (name: string) => readFileSync(join(directory, name))
  const modules = capture ? readdirSync(directory).filter((name) => name !== 'vmlinux') : []

  test('loads without loss', { timeout: 600_000 }, () => {
    const vmlinux = shared(read('vmlinux'))
    const shape = readShape(vmlinux)
    const first = indexTypes([{ name: 'vmlinux', bytes: vmlinux }])
    const rest = indexTypes(
      modules.map((name) => ({ name, bytes: shared(read(name)) })),
      shape,
    )
    expect(rest.failures).toEqual([])
    const types = new Types([...first.records, ...rest.records])
    expect(types.failures.size).toBe(0)
    const plainBase = decodePlainly(read('vmlinux'))
    const base = { set: types.set('vmlinux')!, shape }
    let count = 0
    const lost: string[] = []
    const differs = (set: (typeof types.sets)[number], type: PlainType): boolean => {
      const at = set.position(type.id)
      return (
        set.nameOf(type.id) !== type.name ||
        set.kindNumberOf(type.id) !== type.kind ||
        set.words[at + 2] !== type.sizeOrType ||
        type.rest.some((word, i) => set.words[at + 3 + i] !== word)
      )
    }
    for (const set of types.sets) {
      const plain = set.name === 'vmlinux' ? plainBase : decodePlainly(read(set.name), plainBase)
      if (set.size !== plain.types.length) lost.push(`${set.name}: ${set.size} of ${plain.types.length}`)
      for (const type of plain.types) {
        count++
        if (differs(set, type)) lost.push(`${set.name} [${type.id}]`)
        // Every 50th name is found again through the index that spans all sets.
        if (count % 50 === 0 && type.name !== '') {
          const found = types.find(type.name).some((each) => each.module === set.name && each.id === type.id)
          if (!found) lost.push(`${set.name} [${type.id}] ${type.name} is not found by name`)
        }
      }
      let lines = 0
      for (const piece of dumpRaw(set)) for (const line of piece.split('\n')) if (line.startsWith('[')) lines++
      if (lines !== set.size) lost.push(`${set.name}: ${lines} lines in the raw dump`)
      if (set.base && count % 7 === 0) {
        const { ok, errors } = checkBtf(shared(read(set.name)), { strict: true, base })
        if (!ok) lost.push(`${set.name}: ${JSON.stringify(errors)}`)
      }
    }
    expect(lost).toEqual([])
    expect(count).toBe(types.size)
  })
})
