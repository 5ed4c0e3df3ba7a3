// Answers from a table of which only that is in memory what they look at: the same as from all of it. The rest is there as noise, so that
// whoever looks at more answers otherwise.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../bench/lib/random.ts'
import { AnswerWriter, asJson, asText } from '../../src/cli/address-answers.ts'
import { Unanswered } from '../../src/cli/unanswered.ts'
import { KerndexError } from '../../src/core/errors.ts'
import type { StoredBytes } from '../../src/core/stored-bytes.ts'
import { bringAnswers } from '../../src/symbols/stored-answers.ts'
import { SymbolTable } from '../../src/symbols/table.ts'
import { edge, fixtureBytes, modulesRanges } from '../fixtures.ts'
import { build } from './build-table.ts'

/** Memory with exactly those bytes of a table that were needed, and noise. */
class Noise implements StoredBytes {
  readonly buffer: SharedArrayBuffer
  readonly #bytes: Uint8Array
  readonly #table: Uint8Array
  readonly #brought: [number, number][] = []

  constructor(table: SharedArrayBuffer) {
    this.buffer = new SharedArrayBuffer(table.byteLength)
    this.#bytes = new Uint8Array(this.buffer).fill(0xa5)
    this.#table = new Uint8Array(table)
  }

  need(from: number, to: number): void {
    this.#bytes.set(this.#table.subarray(from, to), from)
    this.#brought.push([from, Math.min(to, this.#table.length)])
  }

  forget(): void {
    for (const [from, to] of this.#brought.splice(0)) this.#bytes.fill(0xa5, from, to)
  }
}

function answers(table: SymbolTable, address: bigint): string {
  const batch = { addresses: BigUint64Array.of(address), names: new Map(), nowhere: new Map(), bad: [] }
  return [asText, asJson]
    .flatMap((form) => [...new AnswerWriter(table, form, new Unanswered('no', ['a', 'b'])).answers(batch)])
    .map((bytes) => Buffer.from(bytes).toString('latin1'))
    .join('')
}

const captures = [
  ['debian-6.1-amd64', 'debian-6.1-amd64/kallsyms.gz', 'debian-6.1-amd64/modules', 500],
  ['oracle', 'oracle/kallsyms.br', 'oracle/modules.br', 500],
] as const

describe.each(captures)('of the capture %s', (_, text, modules, count) => {
  const { buffer } = build(fixtureBytes(text), { ranges: modulesRanges(fixtureBytes(modules)) })
  const table = new SymbolTable(buffer)
  const noise = new Noise(buffer)
  const below = seededRandom(18)
  const anywhere = () => {
    const { address, size } = table.get(below(table.size))
    return address + BigInt(below(size + 2) - 1)
  }

  it('are the same for every address that is answered', () => {
    let told = 0
    for (let i = 0; i < count; i++) {
      const address = BigInt.asUintN(64, anywhere())
      if (bringAnswers(noise, [address])) {
        told++
        expect(answers(new SymbolTable(noise.buffer), address)).toBe(answers(table, address))
      }
      noise.forget()
    }
    expect(told).toBeGreaterThan(count / 2)
  })

  it('are the same where several are asked at once, and none are given where one needs more', () => {
    const some: bigint[] = []
    while (some.length < 8) {
      const address = BigInt.asUintN(64, anywhere())
      if (bringAnswers(noise, [address])) some.push(address)
      noise.forget()
    }
    expect(bringAnswers(noise, some)).toBe(true)
    const around = new SymbolTable(noise.buffer)
    for (const address of some) expect(answers(around, address)).toBe(answers(table, address))
    noise.forget()
    for (const nowhere of [0n, 2n ** 64n - 1n]) expect(bringAnswers(noise, [...some, nowhere])).toBe(false)
  })
})

it('damage gives an error or wrong names, and ends', () => {
  const whole = build(edge('edge')).buffer
  const words = new Uint32Array(whole)
  const addresses = [...new SymbolTable(whole)].map(({ address }) => address)
  fc.assert(
    fc.property(fc.nat(words.length - 1), fc.nat(0xffff_ffff), fc.nat(addresses.length - 1), (at, value, which) => {
      const damaged = new SharedArrayBuffer(whole.byteLength)
      new Uint32Array(damaged).set(words)
      new Uint32Array(damaged)[at] = value
      try {
        const noise = new Noise(damaged)
        if (bringAnswers(noise, [addresses[which]!])) answers(new SymbolTable(noise.buffer), addresses[which]!)
      } catch (error) {
        expect(error).toBeInstanceOf(KerndexError)
      }
    }),
    { numRuns: 300 },
  )
})
