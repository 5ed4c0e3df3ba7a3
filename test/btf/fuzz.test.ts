// Damaged blobs: whatever bytes are changed in real ones, reading ends with an answer or a typed error, depends on no byte
// outside the blob, and takes memory in proportion. 100,000 blobs under KERNDEX_LONG, some hundreds otherwise.
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../bench/lib/random.ts'
import { layoutOf } from '../../src/btf/ask/layout.ts'
import { plainDeclarations } from '../../src/btf/print/c-declare.ts'
import { dumpC } from '../../src/btf/print/c-dump.ts'
import { dumpRaw } from '../../src/btf/print/raw.ts'
import { indexTypes } from '../../src/btf/read/index-types.ts'
import { alignOf, sizeOf } from '../../src/btf/read/sizes.ts'
import { decodeType } from '../../src/btf/read/type.ts'
import { TypeSet } from '../../src/btf/read/type-set.ts'
import { checkBtf } from '../../src/btf/verify/check.ts'
import { KerndexError } from '../../src/core/errors.ts'
import { debian, fixture, plainFixture, shapeOf } from './fixtures.ts'
import { mutate } from './mutate.ts'

const BLOBS = process.env.KERNDEX_LONG ? 100_000 : 600

/** A blob in the middle of bytes that are not its own. */
function surrounded(bytes: Buffer, filling: number): Uint8Array<SharedArrayBuffer> {
  const arena = new Uint8Array(new SharedArrayBuffer(bytes.length + 8192)).fill(filling)
  arena.set(bytes, 4096)
  return arena.subarray(4096, 4096 + bytes.length)
}

function attempt(run: () => void): string {
  try {
    run()
    return ''
  } catch (error) {
    if (error instanceof KerndexError) return error.message
    throw error
  }
}

/** Everything a user could ask of a set, as text. */
function everything(
  bytes: Uint8Array<SharedArrayBuffer>,
  base: TypeSet | undefined,
  shape: ReturnType<typeof shapeOf> | undefined,
): string {
  const parts: string[] = []
  const { records, failures } = indexTypes([{ name: 'x', bytes }], shape)
  if (failures[0]) return failures[0].error.message
  const set = attempt(() => parts.push(String(new TypeSet(records[0]!, base).size)))
  if (set !== '') return set
  const types = new TypeSet(records[0]!, base)
  expect(records[0]!.index.byteLength).toBeLessThanOrEqual(400 + 14 * types.size)
  parts.push(attempt(() => parts.push(...dumpRaw(types))))
  if (!base) parts.push(attempt(() => parts.push(...dumpC(types, { order: 'ids' }))))
  if (!base) parts.push(attempt(() => parts.push(...dumpC(types))))
  for (let id = types.firstId; id < types.endId; id++) {
    const name = types.nameOf(id)
    if (name !== '') expect(types.idsNamed(name)).toContain(id)
    parts.push(`${sizeOf(types, id)} ${alignOf(types, id)}`)
    parts.push(attempt(() => parts.push(plainDeclarations(types).declare(id, 'x'))))
    const kind = decodeType(types, id).kind
    if (kind === 'STRUCT' || kind === 'UNION')
      parts.push(attempt(() => parts.push(JSON.stringify(layoutOf(types, id)))))
  }
  return parts.join('\n')
}

const kernelTests: { file: string }[] = JSON.parse(plainFixture('kernel-raw-tests/index.json').toString())
const seeds: [string, Buffer, boolean][] = [
  ...['veth', 'zram', 'tcp_bbr', 'cast_common', 'virtio_net', 'nvme'].map((name): [string, Buffer, boolean] => [
    name,
    fixture(`deb61/mod/${name}.btf`),
    true,
  ]),
  ...['all-kinds', 'all-kinds-be', 'layout', 'layout-unknown-kind20'].map((name): [string, Buffer, boolean] => [
    name,
    fixture(`synthetic/${name}.btf`),
    false,
  ]),
  ...kernelTests.map(({ file }): [string, Buffer, boolean] => [file, plainFixture(`kernel-raw-tests/${file}`), false]),
]

describe('damaged blobs', () => {
  const vmlinux = debian().set('vmlinux')!
  const shape = shapeOf(vmlinux)
  // Half of the blobs come from modules, half from the rest.
  const modules = seeds.filter(([, , split]) => split)
  const others = seeds.filter(([, , split]) => !split)

  test(`${BLOBS} mutations end with an answer or a typed error`, () => {
    let read = 0
    for (let seed = 1; seed <= BLOBS; seed++) {
      const next = seededRandom(seed)
      const pool = seed % 2 === 0 ? modules : others
      const [name, original, split] = pool[next(pool.length)]!
      const bytes = mutate(original, next)
      const base = split ? vmlinux : undefined
      const ask = (filling: number): string => {
        try {
          return everything(surrounded(bytes, filling), base, split ? shape : undefined)
        } catch (error) {
          throw new Error(`seed ${seed}, from ${name}`, { cause: error })
        }
      }
      const answer = ask(0)
      if (answer !== ask(0xa5))
        throw new Error(`seed ${seed}, from ${name}: the answer depends on bytes outside the blob`)
      const check = checkBtf(surrounded(bytes, 0xff), { strict: true, ...(split && { base: { set: vmlinux, shape } }) })
      expect(check.ok).toBe(check.errors.length === 0)
      if (answer.length > 200) read++
    }
    // The mutations are mild enough that many blobs are still read, or this would test the header only.
    expect(read).toBeGreaterThan(BLOBS / 10)
  })
})
