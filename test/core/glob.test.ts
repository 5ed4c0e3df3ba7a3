// Patterns against an independent translation to regular expressions.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compileGlob, globPrefix, isGlob } from '../../src/core/glob.ts'

test.each([
  ['vfs_*', ['vfs_', 'vfs_read'], ['xvfs_read', 'vfs']],
  ['*_read', ['_read', 'a_read', '_read_read'], ['_reads']],
  ['a*b*c', ['abc', 'aXbYc', 'abcbc'], ['ab', 'acb']],
  ['?', ['a'], ['', 'ab']],
  ['[a-c]x', ['ax', 'cx'], ['dx', 'x']],
  ['[!a-c]x', ['dx'], ['ax']],
  ['[]]', [']'], ['[']],
  ['[a', ['[a'], ['a']],
  ['a-]', ['a-]'], []],
  ['', [''], ['a']],
  ['**', ['', 'x'], []],
])('%s', (glob, yes, no) => {
  const matches = compileGlob(glob)
  for (const name of yes) expect(matches(name), name).toBe(true)
  for (const name of no) expect(matches(name), name).toBe(false)
})

test('agrees with a regular expression', () => {
  const part = fc.constantFrom('a', 'b', '*', '?', '_')
  fc.assert(
    fc.property(fc.array(part), fc.array(fc.constantFrom('a', 'b', '_')), (pattern, name) => {
      const regexp = new RegExp(
        `^${pattern.map((each) => (each === '*' ? '.*' : each === '?' ? '.' : each)).join('')}$`,
      )
      expect(compileGlob(pattern.join(''))(name.join(''))).toBe(regexp.test(name.join('')))
    }),
  )
})

test('many stars do not take exponential time', () => {
  expect(compileGlob(`${'*a'.repeat(30)}b`)('a'.repeat(5000))).toBe(false)
})

test('helpers', () => {
  expect([isGlob('vfs_read'), isGlob('vfs_*'), isGlob('a[b]')]).toEqual([false, true, true])
  expect([globPrefix('vfs_*x'), globPrefix('abc'), globPrefix('*')]).toEqual(['vfs_', 'abc', ''])
})
