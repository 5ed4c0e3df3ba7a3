// The strict check beyond the kernel's own table: special fields one rule at a time, and BPF objects as clang wrote them.
import { describe, expect, test } from 'vitest'
import { extractBtf } from '../../src/btf/read/blob-file.ts'
import { checkBtf } from '../../src/btf/verify/check.ts'
import { fixtureBytes } from '../fixtures.ts'
import { BtfBuilder } from './builder.ts'
import { shared } from './fixtures.ts'

/** A blob with the special types, and the structs that a case adds. */
function blob(add: (types: Kit) => void): ReturnType<typeof shared> {
  const btf = new BtfBuilder()
  const int = btf.int('int', 4, 1)
  const u64 = btf.int('long unsigned int', 8)
  const words = (name: string, size: number) =>
    btf.struct(
      name,
      size,
      Array.from({ length: size / (size === 4 ? 4 : 8) }, (_, i) => ({
        name: `w${i}`,
        type: size === 4 ? int : u64,
        offset: 64 * i,
      })),
    )
  const kit: Kit = {
    btf,
    int,
    lock: words('bpf_spin_lock', 4),
    resLock: words('bpf_res_spin_lock', 4),
    refcount: words('bpf_refcount', 4),
    head: words('bpf_list_head', 16),
    node: words('bpf_list_node', 24),
    root: words('bpf_rb_root', 16),
    rbNode: words('bpf_rb_node', 32),
    array: (type, count) => btf.array(type, int, count),
    struct: (name, size, ...fields) =>
      btf.struct(
        name,
        size,
        fields.map(([type, offset], i) => ({ name: `f${i}`, type, offset: offset * 8 })),
      ),
  }
  add(kit)
  return shared(Buffer.from(btf.build()))
}

interface Kit {
  readonly btf: BtfBuilder
  readonly int: number
  readonly lock: number
  readonly resLock: number
  readonly refcount: number
  readonly head: number
  readonly node: number
  readonly root: number
  readonly rbNode: number
  readonly array: (type: number, count: number) => number
  /** Members as [type, byte offset]. */
  readonly struct: (name: string, size: number, ...fields: (readonly [number, number])[]) => number
}

const verdict = (add: (kit: Kit) => void): string => checkBtf(blob(add), { strict: true }).errors[0]?.message ?? 'ok'

/** A pointer with a tag to a struct of the object. */
const kptr = ({ btf, struct }: Kit, ...tags: string[]): number =>
  btf.ptr(tags.reduce((type, tag) => btf.typeTag(tag, type), struct('target', 4)))

describe('special fields', () => {
  test.each<[string, (kit: Kit) => void, RegExp]>([
    ['one lock', ({ struct, lock, int }) => struct('s', 8, [lock, 0], [int, 4]), /^ok$/],
    ['two locks', ({ struct, lock }) => struct('s', 8, [lock, 0], [lock, 4]), /more than one bpf_spin_lock/],
    [
      'a lock in a struct inside, and no other',
      ({ struct, lock, refcount }) => struct('s', 8, [struct('in', 4, [lock, 0]), 0], [refcount, 4]),
      /^ok$/,
    ],
    [
      'a lock two structs further in',
      ({ struct, lock }) => struct('s', 8, [lock, 0], [struct('b', 4, [struct('a', 4, [lock, 0]), 0]), 4]),
      /more than one bpf_spin_lock/,
    ],
    [
      'an array of locks',
      ({ struct, lock, refcount, array }) => struct('s', 12, [array(lock, 2), 0], [refcount, 8]),
      /array/,
    ],
    // Only a member that is special itself has the kernel look at a struct at all.
    [
      'a struct without a special member of its own',
      ({ struct, lock, array }) => struct('s', 8, [array(lock, 2), 0]),
      /^ok$/,
    ],
    ['both kinds of lock', ({ struct, lock, resLock }) => struct('s', 8, [lock, 0], [resLock, 4]), /both/],
    [
      'a struct of the name with another size',
      ({ btf, struct, int }) =>
        struct('s', 16, [btf.struct('bpf_spin_lock', 8, [{ name: 'a', type: int }]), 0], [int, 8]),
      /^ok$/,
    ],
    [
      '11 kernel pointers',
      (kit) => kit.struct('s', 88, ...times(11, (i) => [kptr(kit, 'kptr'), i * 8] as const)),
      /^ok$/,
    ],
    [
      '12 kernel pointers',
      (kit) => kit.struct('s', 96, ...times(12, (i) => [kptr(kit, 'kptr'), i * 8] as const)),
      /more than 11/,
    ],
    [
      'an array of 11 in a struct',
      (kit) =>
        kit.struct('s', 92, [kit.struct('in', 88, [kit.array(kptr(kit, 'kptr'), 11), 0]), 0], [kit.refcount, 88]),
      /more than 11/,
    ],
    [
      'an array of 10 in a struct, and one',
      (kit) =>
        kit.struct('s', 84, [kit.struct('in', 80, [kit.array(kptr(kit, 'kptr'), 10), 0]), 0], [kit.refcount, 80]),
      /^ok$/,
    ],
    [
      'arrays of structs of arrays',
      (kit) => {
        const inner = kit.struct('in', 16, [kit.array(kptr(kit, 'kptr'), 2), 0])
        kit.struct('s', 100, [kit.array(inner, 6), 0], [kit.refcount, 96])
      },
      /more than 11/,
    ],
    ['a kernel pointer with two tags', (kit) => kit.struct('s', 8, [kptr(kit, 'kptr', 'kptr'), 0]), /^ok$/],
    [
      'the same beside a lock',
      (kit) => kit.struct('s', 16, [kptr(kit, 'kptr', 'kptr'), 0], [kit.lock, 8]),
      /more than one tag/,
    ],
    ['another tag', (kit) => kit.struct('s', 16, [kptr(kit, 'user'), 0], [kit.lock, 8]), /^ok$/],
    [
      'nodes of a list and a tree',
      ({ struct, node, rbNode }) => struct('s', 56, [node, 0], [rbNode, 24]),
      /bpf_refcount/,
    ],
    [
      'nodes of both with a count',
      ({ struct, node, rbNode, refcount }) => struct('s', 64, [node, 0], [rbNode, 24], [refcount, 56]),
      /^ok$/,
    ],
    ['a list without its tag', ({ struct, head, lock }) => struct('s', 24, [head, 0], [lock, 16]), /contains:/],
    ['a list', (kit) => list(kit, 'contains:elem:f0', true), /^ok$/],
    ['a list without a lock', (kit) => list(kit, 'contains:elem:f0', false), /without a lock/],
    ['a list of a struct that is not there', (kit) => list(kit, 'contains:other:f0', true), /names no struct/],
    ['a list by a member that is no node', (kit) => list(kit, 'contains:elem:f1', true), /names no bpf_list_node/],
    [
      'a tree whose elements own the trees they are in',
      ({ btf, struct, root, rbNode, lock }) => {
        const id = struct('elem', 56, [rbNode, 0], [root, 32], [lock, 48])
        btf.declTag('contains:elem:f0', id, 1)
      },
      /circle/,
    ],
  ])('%s', (_, add, expected) => {
    expect(verdict(add)).toMatch(expected)
  })

  test('structs in structs of structs cost their number, not their paths', () => {
    const build = (depth: number) =>
      blob(({ struct, lock, int }) => {
        let inner = struct('s0', 4, [int, 0])
        for (let i = 1; i <= depth; i++) inner = struct(`s${i}`, 4 * 2 ** Math.min(i, 20), [inner, 0], [inner, 0])
        struct('outer', 8, [lock, 0])
      })
    expect(checkBtf(build(28), { strict: true }).ok).toBe(true)
  })
})

function list({ btf, struct, head, lock, node, int }: Kit, tag: string, locked: boolean): void {
  struct('elem', 32, [node, 0], [int, 24])
  const owner = struct('s', 24, [head, 0], [locked ? lock : int, 16])
  btf.declTag(tag, owner, 0)
}

const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))

describe('objects as clang writes them', () => {
  test.each(['clang14', 'clang19'].flatMap((clang) => ['bpfel', 'bpfeb'].map((order) => [clang, order])))(
    '%s %s: what is open is filled in, and nothing is blamed',
    (clang, order) => {
      for (const name of ['bitfields', 'fields', 'types']) {
        const { btf, object } = extractBtf(fixtureBytes(`btf/core/${name}.${clang}.${order}.o.br`))
        expect(object).toBe(true)
        const { ok, errors, filledIn } = checkBtf(btf, { strict: true, object: true })
        expect({ ok, errors }).toEqual({ ok: true, errors: [] })
        expect(filledIn).toContain('DATASEC license has no size: a loader fills it in, and the place of its variable')
        // Raw types are checked as they are.
        expect(checkBtf(btf, { strict: true }).errors.map(({ message }) => message)).toContain('size == 0')
        if (name === 'types') {
          expect(filledIn).toContain('FUNC bpf_no_such_kfunc is external: a loader makes it a function of the object')
          expect(filledIn).toContain('VAR no_such_variable is external: a loader gives it a place and the type int')
        }
      }
    },
  )

  test('what a loader does not mend is still told', () => {
    const btf = new BtfBuilder()
    const int = btf.int('int', 4, 1)
    btf.struct('s', 4, [{ name: 'a', type: int, offset: 32 }])
    btf.datasec('.maps', 0, [{ type: btf.var('map', int, 1), offset: 0, size: 4 }])
    const { ok, errors, filledIn } = checkBtf(shared(Buffer.from(btf.build())), { strict: true, object: true })
    expect(ok).toBe(false)
    expect(errors[0]!.message).not.toBe('size == 0')
    expect(filledIn).toHaveLength(1)
  })
})
