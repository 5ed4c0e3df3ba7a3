// Sources made for a test: text in memory, handed out as a test wishes.
import { NotReadableError } from '../../src/core/errors.ts'
import type { ByteReader } from '../../src/sources/reader.ts'
import type { BtfFile, Source } from '../../src/sources/source.ts'

export interface FakeReader extends ByteReader {
  readonly closed: number
}

export interface FakeOptions {
  /** The most bytes each read gives, in turn, over and over. */
  readonly portions?: readonly number[]
  /** Whether reads give promises: always, never, or every second time. */
  readonly promised?: 'never' | 'always' | 'sometimes'
  readonly sizeHint?: number
  /** Called before each read with its number, from 0; may throw. */
  readonly onRead?: (number: number) => void
  readonly btf?: readonly BtfFile[]
  readonly facts?: Readonly<Record<string, Buffer>>
}

/** A source over text in memory. `reader` is what the last `openSymbols` gave. */
export function fakeSource(text: Uint8Array, options: FakeOptions = {}): Source & { reader: FakeReader | undefined } {
  const { portions = [Number.POSITIVE_INFINITY], promised = 'never', onRead, btf, facts = {} } = options
  const source = {
    kind: 'capture' as const,
    description: 'a test',
    reader: undefined as FakeReader | undefined,
    openSymbols() {
      let at = 0
      let number = 0
      let closed = 0
      const reader: FakeReader = {
        sizeHint: options.sizeHint ?? text.length,
        identity: 'a test',
        get closed() {
          return closed
        },
        read(target) {
          if (closed > 0) throw new NotReadableError('read after close')
          const turn = number++
          onRead?.(turn)
          const count = Math.min(target.length, text.length - at, portions[turn % portions.length]!)
          target.set(text.subarray(at, at + count))
          at += count
          const wait = promised === 'always' || (promised === 'sometimes' && turn % 2 === 1)
          return wait ? Promise.resolve(count) : count
        },
        close() {
          closed++
        },
      }
      source.reader = reader
      return reader
    },
    async btfFiles() {
      return btf ?? { what: 'btf', reason: 'none in this test' }
    },
    async fact(what: string) {
      return facts[what] ?? { what, reason: 'none in this test' }
    },
  }
  return source
}
