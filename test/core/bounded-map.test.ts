// Maps that hold no more than so many entries, against a list that is searched from the front.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Oldest, setBounded } from '../../src/core/bounded-map.ts'

it('the one that was set longest ago goes, whatever was set anew or taken out in between', () => {
  const step = fc.record({ what: fc.constantFrom('set', 'set', 'set', 'delete'), key: fc.nat(30) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), fc.integer({ min: 1, max: 9 }), (steps, most) => {
      const map = new Map<number, string>()
      let model: number[] = []
      for (const { what, key } of steps) {
        model = model.filter((one) => one !== key)
        if (what === 'delete') {
          map.delete(key)
          continue
        }
        model.push(key)
        const gone = setBounded(map, key, `v${key}`, most)
        const expected = model.length > most ? model.shift() : undefined
        expect(gone).toEqual(expected === undefined ? undefined : [expected, `v${expected}`])
        expect([...map.keys()]).toEqual(model)
      }
    }),
  )
})

it('what did not fit is looked at again when all others have been', () => {
  const set = new Set([1, 2, 3])
  const oldest = new Oldest(set)
  expect(oldest.find((key) => key > 1)).toBe(2)
  set.delete(2)
  expect(oldest.find((key) => key > 1)).toBe(3)
  set.delete(3)
  expect(oldest.find((key) => key > 1)).toBeUndefined()
  expect(oldest.find(() => true)).toBe(1)
  expect(new Oldest(new Set<number>()).find(() => true)).toBeUndefined()
})
