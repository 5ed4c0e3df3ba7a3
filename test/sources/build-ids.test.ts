// Build ids of modules in the lines that captures hold: those that are there, and nothing else.

import { expect, it } from 'vitest'
import { parseBuildIds } from '../../src/sources/facts.ts'

it('are read where a module has one', () => {
  const text = 'nfs 0123abcd 5F2 Live -\nold - 77A Live OE\nshort\n\nodd zz 1 Live -\n'
  expect([...parseBuildIds(Buffer.from(text))]).toEqual([['nfs', '0123abcd']])
})
