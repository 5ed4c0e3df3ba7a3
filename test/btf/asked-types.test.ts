// Questions by type: which functions take or return a type, and what holds it, against a plain decoder that goes through every
// prototype and every member of every set.
import { beforeAll, describe, expect, test } from 'vitest'
import { parseTypeQuestion } from '../../src/btf/ask/type-question.ts'
import { indexTypes, readShape } from '../../src/btf/read/index-types.ts'
import { Types } from '../../src/btf/types.ts'
import { attachKernel, openKernel } from '../../src/index.ts'
import { CAPTURE } from '../fixtures.ts'
import { BtfBuilder } from './builder.ts'
import { debian, fixture, MODULES } from './fixtures.ts'
import { decodePlainly, type PlainBtf, type PlainType } from './plain-decoder.ts'

const MODIFIERS = new Set([8, 9, 10, 11, 18])

/** Sets as the plain decoder gives them, with a look-up of ids that goes down to the base. */
interface PlainSet {
  readonly name: string
  readonly own: readonly PlainType[]
  readonly get: (id: number) => PlainType | undefined
}

function plainSets(): PlainSet[] {
  const vmlinux = decodePlainly(fixture('deb61/vmlinux.btf'))
  const set = (name: string, btf: PlainBtf, base?: PlainBtf): PlainSet => {
    const first = base?.nextId ?? 1
    return { name, own: btf.types, get: (id) => (id < first ? base?.types[id - 1] : btf.types[id - first]) }
  }
  return [
    set('vmlinux', vmlinux),
    ...MODULES.map((name) => set(name, decodePlainly(fixture(`deb61/mod/${name}.btf`), vmlinux), vmlinux)),
  ]
}

/** Whether a type is, behind so many pointers, one that is meant. */
function leadsTo(
  { get }: PlainSet,
  id: number,
  pointers: number,
  isMeant: (type: PlainType | undefined) => boolean,
): boolean {
  const type = get(id)
  if (pointers === 0 && isMeant(type)) return true
  if (type === undefined) return false
  if (MODIFIERS.has(type.kind)) return leadsTo({ get } as PlainSet, type.sizeOrType, pointers, isMeant)
  return type.kind === 2 && pointers > 0 && leadsTo({ get } as PlainSet, type.sizeOrType, pointers - 1, isMeant)
}

const struct = (name: string) => (type: PlainType | undefined) =>
  type?.name === name && (type.kind === 4 || (type.kind === 7 && !type.flag))
const typedef = (name: string) => (type: PlainType | undefined) => type?.kind === 8 && type.name === name
const int = (name: string) => (type: PlainType | undefined) => type?.kind === 1 && type.name === name
const nothing = (type: PlainType | undefined) => type === undefined

let sets: PlainSet[]
let types: Types
beforeAll(() => {
  sets = plainSets()
  types = debian()
})

/** Functions whose prototype is as asked, by set and id. */
function plainFunctions(is: (set: PlainSet, params: readonly number[], returns: number) => boolean): string[] {
  return sets.flatMap((set) =>
    set.own.flatMap((type) => {
      const proto = type.kind === 12 ? set.get(type.sizeOrType) : undefined
      if (proto?.kind !== 13) return []
      const params = proto.rest.filter((_, i) => i % 2 === 1)
      return is(set, params, proto.sizeOrType) ? [`${set.name}:${type.id}:${type.name}`] : []
    }),
  )
}

const asked = (question: Parameters<Types['functions']>[0]) =>
  [...types.functions(question)].map(({ module, id, name }) => `${module}:${id}:${name}`)

describe('functions by type', () => {
  test.each([
    ['struct sk_buff *', 1, struct('sk_buff')],
    ['const struct sk_buff*', 1, struct('sk_buff')],
    ['sk_buff *', 1, struct('sk_buff')],
    ['struct file *', 1, struct('file')],
    ['struct nft_ctx *', 1, struct('nft_ctx')],
    ['struct inode **', 2, struct('inode')],
    ['gfp_t', 0, typedef('gfp_t')],
    ['work_func_t', 0, typedef('work_func_t')],
    ['unsigned long', 0, int('long unsigned int')],
    ['int', 0, int('int')],
    ['char *', 1, int('char')],
    ['bool', 0, typedef('bool')],
    ['void *', 1, nothing],
  ])('take %s, as the plain decoder finds them', (takes, pointers, isMeant) => {
    const expected = plainFunctions((set, params) =>
      params.some((id) => id !== 0 && leadsTo(set, id, pointers, isMeant)),
    )
    expect(expected.length).toBeGreaterThan(0)
    expect(asked({ takes })).toEqual(expected)
    const second = plainFunctions(
      (set, params) => params[1] !== undefined && params[1] !== 0 && leadsTo(set, params[1], pointers, isMeant),
    )
    expect(asked({ takes, as: 2 })).toEqual(second)
  })

  test.each([
    ['int', 0, int('int')],
    ['void', 0, nothing],
    ['struct sk_buff *', 1, struct('sk_buff')],
    ['netdev_tx_t', 0, (type: PlainType | undefined) => type?.name === 'netdev_tx' || typedef('netdev_tx_t')(type)],
  ])('return %s, as the plain decoder finds them', (returns, pointers, isMeant) => {
    const expected = plainFunctions((set, _, id) => leadsTo(set, id, pointers, isMeant))
    expect(expected.length).toBeGreaterThan(0)
    expect(asked({ returns })).toEqual(expected)
  })

  test('take one type and return another, of a name and in a module', () => {
    const both = plainFunctions(
      (set, params, id) =>
        leadsTo(set, id, 0, int('int')) && params.some((each) => leadsTo(set, each, 1, struct('sk_buff'))),
    )
    expect(asked({ takes: 'struct sk_buff *', returns: 'int' })).toEqual(both)
    const named = both.filter((each) => /^nf_tables:\d+:nft_/.test(each))
    expect(named.length).toBeGreaterThan(0)
    expect(asked({ takes: 'struct sk_buff *', returns: 'int', name: 'nft_*', module: 'nf_tables' })).toEqual(named)
  })

  test('every struct of the kernel, one in fifty', () => {
    const names = [
      ...new Set(sets[0]!.own.filter(({ kind, name }) => kind === 4 && name !== '').map(({ name }) => name)),
    ]
    const some = new Map(names.filter((_, i) => i % 50 === 0).map((name) => [name, [] as string[]]))
    for (const each of plainTakers()) some.get(each.struct)?.push(each.func)
    for (const [name, funcs] of some) expect(asked({ takes: `struct ${name} *` }), name).toEqual([...new Set(funcs)])
    expect([...some.values()].filter((funcs) => funcs.length > 0).length).toBeGreaterThan(20)
  })

  test('ask for nothing that is not there', () => {
    expect(asked({ takes: 'struct no_such_struct *' })).toEqual([])
    expect(asked({ takes: 'void' })).toEqual([])
    expect(types.knows('struct no_such_struct *')).toBe(false)
    expect(types.knows('struct file *')).toBe(true)
    expect(asked({ takes: 'union sk_buff *' })).toEqual([])
    for (const text of [
      '',
      '*',
      'struct',
      'struct a b',
      'int (*)(void)',
      'a b',
      'unsigned float',
      'char[4]',
      'enum x const struct',
    ]) {
      expect(() => parseTypeQuestion(text), text).toThrow(/cannot be read as a type/)
    }
    expect(() => types.functions({ as: 1 })).toThrow('give that too')
  })
})

/** Every function with each struct that it takes a pointer to. */
function plainTakers(): { struct: string; func: string }[] {
  return sets.flatMap((set) =>
    set.own.flatMap((type) => {
      const proto = type.kind === 12 ? set.get(type.sizeOrType) : undefined
      if (proto?.kind !== 13) return []
      const structs = proto.rest.filter((_, i) => i % 2 === 1).flatMap((id) => pointedAt(set, id))
      return structs.map((name) => ({ struct: name, func: `${set.name}:${type.id}:${type.name}` }))
    }),
  )
}

function pointedAt(set: PlainSet, id: number): string[] {
  const behind = (at: number): PlainType | undefined => {
    const type = set.get(at)
    return type !== undefined && MODIFIERS.has(type.kind) ? behind(type.sizeOrType) : type
  }
  const pointer = behind(id)
  const target = pointer?.kind === 2 ? behind(pointer.sizeOrType) : undefined
  return target !== undefined && (target.kind === 4 || (target.kind === 7 && !target.flag)) ? [target.name] : []
}

describe('users of a type', () => {
  test('members that hold it or point to it, as the plain decoder finds them', () => {
    for (const name of ['sk_buff', 'list_head', 'nft_ctx', 'work_struct']) {
      const users = types.users(`struct ${name}`)
      const own = (uses: typeof users.holds) =>
        [
          ...new Set(
            uses
              .filter(({ member, kind }) => !/[.[]/.test(member) && kind === 'STRUCT')
              .map((each) => `${each.name}.${each.member}`),
          ),
        ].sort()
      const plain = (isUse: (set: PlainSet, id: number) => boolean) => {
        const found = sets.flatMap((set) =>
          set.own.flatMap((type) => {
            if (type.kind !== 4 || type.name === '') return []
            const members = type.rest.flatMap((word, i) => (i % 3 === 1 && isUse(set, word) ? [type.rest[i - 1]!] : []))
            return members.map((offset) => `${type.name}.${nameAt(set, offset)}`)
          }),
        )
        return [...new Set(found)].filter((each) => !each.endsWith('.')).sort()
      }
      const held = plain((set, id) => throughArrays(set, id, 0, struct(name)))
      const pointed = plain((set, id) => throughArrays(set, id, 1, struct(name)))
      // Those of anonymous members of a named struct come besides.
      expect(own(users.holds), name).toEqual(expect.arrayContaining(held))
      expect(own(users.points), name).toEqual(expect.arrayContaining(pointed))
      for (const { kind, name: outer, member, bitOffset, module } of [...users.holds, ...users.points]) {
        if (kind !== 'STRUCT' || outer === '' || member.includes('[]')) continue
        expect(types.members(`struct ${outer}.${member}`, { module }).map((each) => each.bitOffset)).toContain(
          bitOffset,
        )
      }
    }
  })

  test('functions that take or return it, behind any number of pointers', () => {
    const users = types.users('struct inode')
    const any = (set: PlainSet, id: number) => [0, 1, 2, 3].some((n) => throughArrays(set, id, n, struct('inode')))
    const list = (found: typeof users.takes) => found.map(({ module, id, name }) => `${module}:${id}:${name}`)
    expect(list(users.takes)).toEqual(plainFunctions((set, params) => params.some((id) => any(set, id))))
    expect(list(users.returns)).toEqual(plainFunctions((set, _, id) => any(set, id)))
    expect(users.calls.map((each) => `${each.name}.${each.member}`)).toContain('inode_operations.permission')
    expect(
      types.users('struct nft_ctx', { module: 'nf_tables' }).takes.every(({ module }) => module === 'nf_tables'),
    ).toBe(true)
  })

  test('members by name and type', () => {
    const named = types.withMember('sk').map(({ kind, name, member }) => `${kind} ${name}.${member}`)
    expect(named).toContain('STRUCT sk_buff.sk')
    expect(types.withMember('sk', { type: 'struct sock *' }).map(({ name }) => name)).toContain('sk_buff')
    expect(types.withMember('sk', { type: 'struct file *' })).toEqual([])
    expect(types.withMember('no_such_member')).toEqual([])
    const plain = sets.flatMap((set) =>
      set.own.filter(
        (type) =>
          type.kind === 4 && type.name !== '' && type.rest.some((word, i) => i % 3 === 0 && nameAt(set, word) === 'sk'),
      ),
    )
    expect(named).toEqual(expect.arrayContaining([...new Set(plain.map(({ name }) => `STRUCT ${name}.sk`))]))
    expect(types.withMember('counter', { type: 'int' })[0]).toMatchObject({
      kind: 'TYPEDEF',
      name: 'atomic_t',
      member: 'counter',
    })
  })
})

function nameAt(set: PlainSet, offset: number): string {
  return types.requireSet(set.name).nameAt(offset)
}

/** As `leadsTo`, where an array of a type counts as the type. */
function throughArrays(
  set: PlainSet,
  id: number,
  pointers: number,
  isMeant: (type: PlainType | undefined) => boolean,
): boolean {
  const type = set.get(id)
  if (type === undefined) return false
  if (pointers === 0 && isMeant(type)) return true
  if (MODIFIERS.has(type.kind)) return throughArrays(set, type.sizeOrType, pointers, isMeant)
  if (type.kind === 3) return throughArrays(set, type.rest[0]!, pointers, isMeant)
  return type.kind === 2 && pointers > 0 && throughArrays(set, type.sizeOrType, pointers - 1, isMeant)
}

describe('sets that define the same', () => {
  function kernel() {
    const base = new BtfBuilder()
    const int = base.int('int', 4, 1)
    const lock = base.struct('spinlock', 4, [{ name: 'raw', type: int }])
    base.typedef('spinlock_t', lock)
    base.fwd('late')
    base.func('in_vmlinux', base.proto(0, [{ name: 'late', type: base.ptr(base.nextId - 1) }]))
    const vmlinux = base.build()
    const module = (size: number) => {
      const split = base.split()
      const late = split.struct('late', size, [
        { name: 'a', type: int },
        { name: 'b', type: int, offset: 32 },
      ])
      const pointer = split.ptr(split.const(late))
      split.struct('holder', 8, [{ name: 'late', type: pointer }])
      const inner = split.struct('', 8, [{ name: 'deep', type: pointer }])
      const array = split.array(inner, int, 2)
      split.struct('outer', 24, [
        { name: 'start', type: int },
        { name: 'rows', type: array, offset: 64 },
      ])
      split.func(
        'takes_late',
        split.proto(int, [
          { name: 'x', type: int },
          { name: 'late', type: pointer },
          { name: '', type: 0 },
        ]),
      )
      split.func('takes_lock', split.proto(0, [{ name: 'lock', type: split.ptr(lock) }]))
      return split.build()
    }
    const first = indexTypes([{ name: 'vmlinux', bytes: vmlinux }])
    const blobs = [
      { name: 'one', bytes: module(8) },
      { name: 'two', bytes: module(8) },
      { name: 'other', bytes: module(12) },
    ]
    return new Types([...first.records, ...indexTypes(blobs, readShape(vmlinux)).records])
  }

  test('are one answer by meaning, and every function is told', () => {
    const own = kernel()
    const names = (question: Parameters<Types['functions']>[0]) =>
      [...own.functions(question)].map((each) => `${each.module}:${each.name}`)
    expect(names({ takes: 'struct late *' })).toEqual([
      'vmlinux:in_vmlinux',
      'one:takes_late',
      'two:takes_late',
      'other:takes_late',
    ])
    expect(names({ takes: 'struct late *', as: 2 })).toEqual(['one:takes_late', 'two:takes_late', 'other:takes_late'])
    expect(names({ takes: 'spinlock_t *' })).toEqual(names({ takes: 'struct spinlock *' }))
    expect(names({ takes: 'spinlock_t *' })).toHaveLength(3)
    expect(names({ takes: 'void' })).toEqual([])
    expect(own.users('struct late').points).toMatchObject([
      { module: 'one', modules: ['one', 'two', 'other'], name: 'holder', member: 'late', type: 'const struct late *' },
      { name: 'outer', member: 'rows[].deep', bitOffset: 64, modules: ['one', 'two', 'other'] },
    ])
    // One of its identities means those that are defined the same, and where it is only declared.
    const ids = own.find('late', { kind: 'STRUCT' })
    expect(own.users(ids[0]!).points[0]!.modules).toEqual(['one', 'two'])
    expect(own.users(ids[2]!).points[0]!.modules).toEqual(['other'])
    expect(own.users(ids[2]!).takes.map(({ module }) => module)).toEqual(['vmlinux', 'other'])
  })

  test('an index of other sets is not taken, one of the same is', () => {
    const [one, two] = [kernel(), kernel()]
    one.users('struct late')
    two.adoptUsers(one.usersIndex!)
    two.users('int')
    expect(two.usersIndex).toBe(one.usersIndex)
    const other = debian()
    const fresh = new Types(other.records)
    fresh.adoptUsers(one.usersIndex!)
    expect([...fresh.functions({ takes: 'struct sk_buff *' })].length).toBeGreaterThan(100)
    expect(fresh.usersIndex).not.toBe(one.usersIndex)
  })
})

test('a thread that attaches a handle finds the index that was made', async () => {
  await using kernel = await openKernel({ from: CAPTURE, threads: 0, types: true })
  expect(kernel.handle().users).toBeUndefined()
  const names = [...kernel.types.functions({ takes: 'struct sk_buff *' })].map(({ name }) => name)
  const handle = kernel.handle()
  expect(handle.users).toBe(kernel.types.usersIndex)
  const reader = attachKernel(structuredClone(handle))
  expect([...reader.types.functions({ takes: 'struct sk_buff *' })].map(({ name }) => name)).toEqual(names)
  expect(reader.types.usersIndex).toBe(reader.handle().users)
})
