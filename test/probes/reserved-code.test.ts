// Instructions that the kernel keeps for itself, told by its own tables: made up here entry by entry, as the kernel's headers
// describe them.
import { describe, expect, test } from 'vitest'
import { type MadeUp, probesOf } from './fixtures.ts'

const FUNCTIONS = {
  plain: 0xffffffff81001000n,
  branches: 0xffffffff81002000n,
  calls: 0xffffffff81003000n,
  warns: 0xffffffff81004000n,
  'colds.cold': 0xffffffff81005000n,
  'plain.cold': 0xffffffff81006000n,
}
/** The options without which a kernel has no such table; without ENDBR64 the call is a function's first instruction. */
const OPTIONS = ['JUMP_LABEL', 'HAVE_STATIC_CALL_INLINE', 'GENERIC_BUG', 'KPROBES', 'KPROBE_EVENTS_ON_NOTRACE']
const config = (options: readonly string[]) => options.map((option) => `CONFIG_${option}=y\n`).join('')
const EARLY = 0xffffffff83000010n
/** Each function begins with the call that ftrace patches. */
const BEHIND_CALL = 5
const TABLES_AT = 0xffffffff82000000n

interface Table {
  readonly start: string
  readonly stop: string
  readonly stride: number
  readonly places: readonly bigint[]
}

const tables = (bugStride: number): readonly Table[] => [
  {
    start: '__start___jump_table',
    stop: '__stop___jump_table',
    stride: 16,
    places: [FUNCTIONS.branches + 5n, EARLY],
  },
  {
    start: '__start_static_call_sites',
    stop: '__stop_static_call_sites',
    stride: 8,
    places: [FUNCTIONS.calls + 5n, 0xffffffff81000000n],
  },
  {
    start: '__start___bug_table',
    stop: '__stop___bug_table',
    stride: bugStride,
    places: [FUNCTIONS.warns + 5n, FUNCTIONS['colds.cold'], FUNCTIONS.plain + 0x40n, EARLY + 8n],
  },
]

/** A kernel with these tables in its memory; what an entry has beside the way to its instruction leads to no code. */
function kernelWith(all: readonly Table[], more: Partial<MadeUp> = {}): MadeUp {
  const bytes = Buffer.alloc(4096, 0x01)
  const symbols: string[] = []
  let at = 0
  for (const { start, stop, stride, places } of all) {
    symbols.push(`${(TABLES_AT + BigInt(at)).toString(16)} R ${start}`)
    places.forEach((place, i) => {
      const entry = at + i * stride
      bytes.writeInt32LE(Number(place - TABLES_AT - BigInt(entry)), entry)
    })
    at += stride * places.length
    symbols.push(`${(TABLES_AT + BigInt(at)).toString(16)} R ${stop}`)
    at += 16
  }
  const functions = Object.entries(FUNCTIONS).map(([name, address]) => `${address.toString(16)} t ${name}`)
  const lines = [
    'ffffffff81000000 T _stext',
    'ffffffff81000100 T __x64_sys_read',
    ...functions,
    'ffffffff81007000 t end_of_them',
    'ffffffff81ff0000 T _etext',
    ...symbols,
    'ffffffff83000000 T __init_begin',
    'ffffffff83000000 T _sinittext',
    'ffffffff83001000 T _einittext',
    'ffffffff83002000 T __init_end',
  ]
  return {
    symbols: `${lines.join('\n')}\n`,
    release: '6.12.0',
    memory: { from: TABLES_AT, bytes },
    ...more,
    facts: {
      available_filter_functions: `${Object.keys(FUNCTIONS).join('\n')}\n`,
      kprobes_blacklist: '',
      config: config(OPTIONS),
      ...more.facts,
    },
  }
}

/** An empty table of a module, with the names that the kernel's own has. */
const MODULE_TABLE = ['start', 'stop'].map(
  (end) => `${(TABLES_AT + 0x800n).toString(16)} r __${end}___jump_table\t[mod]\n`,
)

const withSymbols = (made: MadeUp, lines: readonly string[]): MadeUp => ({
  ...made,
  symbols: made.symbols + lines.join(''),
})

function said(made: MadeUp, place: string): string {
  const [spec] = probesOf(made).plan(`kprobe:${place}`, { allow: ['FRAGMENT'] }).specs
  const target = spec?.targets[0] ?? spec?.rejected[0]
  const [first] = target?.reasons ?? []
  return first === undefined ? String(target?.verdict) : `${first.code}: ${first.message}`
}

const PLACES = ['plain', 'branches', 'calls', 'warns'].map((name) => `${name}+${BEHIND_CALL}`)

describe('behind the call that ftrace patches, and at the start of cold parts', () => {
  test.each([
    ['with the file and line', 12],
    ['with a format too', 16],
    ['with neither', 8],
  ])('entries of BUGs %s', (_, stride) => {
    const made = kernelWith(tables(stride))
    expect([...PLACES, 'colds.cold', 'plain.cold'].map((place) => said(made, place))).toEqual([
      'ok',
      'RESERVED: a jump label is at branches+5: register_kprobe gives EINVAL',
      'RESERVED: a static call is at calls+5: register_kprobe gives EINVAL',
      'RESERVED: a BUG or WARN is at warns+5: register_kprobe gives EINVAL',
      'RESERVED: a BUG or WARN is at colds.cold+0: register_kprobe gives EINVAL',
      'ok',
    ])
  })

  test.each<[string, MadeUp]>([
    ['memory that cannot be read', kernelWith(tables(12), { memory: { from: 0n, bytes: Buffer.alloc(0) } })],
    ['a table that is not among the symbols', kernelWith(tables(12).slice(1))],
    ['a table that only a module has', withSymbols(kernelWith(tables(12).slice(1)), MODULE_TABLE)],
    ['entries of a form that is not known', kernelWith(tables(20))],
    [
      'entries that lead out of the code',
      kernelWith([{ ...tables(12)[0]!, places: [TABLES_AT] }, ...tables(12).slice(1)]),
    ],
    [
      'entries that lead to where the code ends',
      kernelWith([{ ...tables(12)[0]!, places: [0xffffffff81ff0000n] }, ...tables(12).slice(1)]),
    ],
    [
      'a table that ends within an entry',
      kernelWith([{ ...tables(12)[0]!, stride: 8, places: [EARLY, EARLY, EARLY] }, ...tables(12).slice(1)]),
    ],
  ])('%s: not known', (_, made) => {
    expect(said(made, PLACES[0]!)).toMatch(
      /^UNKNOWN_INSTRUCTION: .*\(.+\): as root on the running kernel, \/proc\/kcore/,
    )
  })

  test('a kernel that was built without jump labels needs no table of them', () => {
    const facts = { config: config(OPTIONS.filter((option) => option !== 'JUMP_LABEL')) }
    const made = kernelWith(tables(12).slice(1), { facts })
    expect(said(made, 'branches+5')).toBe('ok')
    expect(said(made, 'warns+5')).toMatch(/^RESERVED/)
  })

  test('tables of the kernel tell nothing of modules', () => {
    const made = kernelWith(tables(12))
    const symbols = `${made.symbols}ffffffffc0001000 t inside\t[mod]\nffffffffc0002000 t end_of_it\t[mod]\n`
    const facts = { ...made.facts, available_filter_functions: 'inside [mod]\n' }
    expect(said({ ...made, symbols, facts }, 'mod:inside+5')).toMatch(/^UNKNOWN_INSTRUCTION: .*modules' tables/)
  })
})
