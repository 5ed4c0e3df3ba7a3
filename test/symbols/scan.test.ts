// Globs over the names of a table against a regular expression on every name.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PREFIXES } from '../../src/symbols/names.ts'
import { fixtureBytes } from '../fixtures.ts'
import { tableOf } from './build-table.ts'

/** The glob as a regular expression, made without any of kerndex's code. */
function asRegExp(glob: string): RegExp {
  const body = glob.replace(/\[([!^]?)(\]?[^\]]*)\]|[*?]|[^*?[]|\[/gs, (piece, not: string, members: string) => {
    if (piece === '*') return '.*'
    if (piece === '?') return '.'
    if (members !== undefined) return `[${not === '' ? '' : '^'}${members.replace(/[\\\]^]/g, '\\$&')}]`
    return piece.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  })
  return new RegExp(`^${body}$`, 's')
}

const NAMES = [
  ...[
    'a',
    'ab',
    'abc',
    'read',
    'vfs_read',
    'vfs_readv',
    '_read',
    'x_read_y',
    'nf_',
    'nf_*',
    'nf_hook',
    'a.b',
    'foo.isra.0',
    '.x',
  ],
  ...PREFIXES.slice(1).flatMap((prefix) => [`${prefix}foo`, `${prefix}vfs_read`, prefix]),
  // In memory the length of the second, 0x5f, follows the first: as if that went on with an underscore.
  'nf',
  'y'.repeat(0x5f),
  'größe',
  `long_${'x'.repeat(300)}_read`,
]
const lines = NAMES.map(
  (name, i) =>
    `ffffffff8100${(i * 16).toString(16).padStart(4, '0')} ${i % 3 === 0 ? 'd' : 't'} ${name}${i % 4 === 3 ? '\t[m]' : ''}\n`,
)
const table = tableOf(lines.join(''))
const rows = [...table].map(({ id, name, type, owner }) => ({ id, name, type, owner }))

function check(glob: string, owner: string | undefined, kinds: 'all' | 'text' | 'data'): void {
  const pattern = asRegExp(glob)
  const expected = rows
    .filter((row) => pattern.test(row.name) && (owner === undefined || row.owner === owner))
    .filter(({ type }) => kinds === 'all' || /[tTwW]/.test(type) === (kinds === 'text'))
  expect(Array.from(table.scan(glob, { owner, kinds })), glob).toEqual(expected.map(({ id }) => id))
}

test.each([
  '*',
  '**',
  // What a name has to hold may be in the root, in the prefix, or across both.
  '*.*',
  '*_*',
  '*pfx*',
  '*x_v*',
  '*_foo*',
  '*y_*',
  '?',
  'a*',
  '*a',
  '*_read',
  '*read*',
  'vfs_read',
  'vfs_?ead',
  '__pfx_*',
  '__pfx_foo',
  '__p*',
  '__*foo',
  '_*',
  '*.isra.*',
  '[a-c]*',
  '[!a]*',
  'v[f]s_*',
  '*[ed]',
  'event_*',
  'größe',
  'gr*',
  '*öße',
  'nf_',
  'long_*_read',
  '*x_read',
  '',
  '[',
  'a[b',
])('%s', (glob) => {
  for (const kinds of ['all', 'text', 'data'] as const) check(glob, undefined, kinds)
  check(glob, 'm', 'all')
})

test('any glob of pieces of the names', () => {
  const piece = fc.constantFrom(
    '*',
    '?',
    '_',
    'a',
    'b',
    'vfs',
    'read',
    '__pfx_',
    '__',
    'foo',
    '.',
    '[a-v]',
    '[!_]',
    'ö',
    'x',
    'event_',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), fc.constantFrom(undefined, 'm', 'vmlinux'), (pieces, owner) => {
      check(pieces.join(''), owner, 'all')
    }),
    { numRuns: 3000 },
  )
})

test('a real table', () => {
  const real = tableOf(fixtureBytes('probes/deb61.kallsyms.br'))
  const all = [...real].map(({ id, name }) => ({ id, name }))
  for (const glob of ['*_read', '*alloc', '*a', 'nf_*', '__pfx_nf_*', '*.isra.*', 'vfs_*', '*']) {
    const pattern = asRegExp(glob)
    const expected = all.filter(({ name }) => pattern.test(name)).map(({ id }) => id)
    expect(expected.length > 0 || glob.startsWith('__pfx')).toBe(true)
    expect(Array.from(real.scan(glob)), glob).toEqual(expected)
  }
})
