// The types that are shipped: the declarations that the entry points reach, for modules and, as `.d.cts`, for CommonJS. The same
// text twice, because a compiler takes a file's kind from its name, and a program of either kind must be shown its own.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

/** Another file of the package in an import or export, which ends in `.ts` as the sources' do. */
const REFERENCE = /(\bfrom |\bimport\()(['"])(\.{1,2}\/[^'"]+)\.ts\2/g

/** Which memory an array is over. TypeScript can say it since 5.7; without it, each takes the array for one over either. */
const MEMORY =
  /\b((?:(?:Big)?(?:Int|Uint)(?:8|16|32|64)|Float(?:32|64)|Uint8Clamped)Array|DataView|Buffer)<(?:Shared)?ArrayBuffer(?:Like)?>/g

/** Writes what the entry points in `from` reach into `to`. Types of others may be those of `peers`, which a program has itself. */
export function writeDeclarations(entries, peers, from, to) {
  rmSync(to, { recursive: true, force: true })
  const waiting = entries.map((entry) => join(from, entry))
  const seen = new Set(waiting)
  for (const file of waiting) {
    const text = readFileSync(`${file}.d.ts`, 'utf8')
    for (const [, , , path] of text.matchAll(REFERENCE)) {
      const next = join(dirname(file), path)
      if (!seen.has(next)) {
        seen.add(next)
        waiting.push(next)
      }
    }
    for (const [, other] of text.replace(REFERENCE, '').matchAll(/(?:\bfrom |\bimport\()['"](?!node:)([^'"]*)['"]/g)) {
      if (!peers.includes(other)) throw new Error(`${file}.d.ts: types of others cannot be shipped: ${other}`)
    }
    const target = join(to, relative(from, file))
    mkdirSync(dirname(target), { recursive: true })
    const plain = text.replace(MEMORY, '$1')
    writeFileSync(`${target}.d.ts`, plain.replace(REFERENCE, '$1$2$3.js$2'))
    writeFileSync(`${target}.d.cts`, plain.replace(REFERENCE, '$1$2$3.cjs$2'))
  }
}
