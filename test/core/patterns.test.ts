// The rule of the house about time: no regular expression in src/ may take more than linear time over any text, whoever wrote
// it. Each is judged by an analysis of its automaton, not by examples; what it cannot judge in time is too much for a reader too.
// A verdict is of the pattern and the analysis alone, so those that were found safe stand in a file, and what stands there is not judged
// again but in the long run, which writes it.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { check } from 'recheck'
import { parseAst } from 'rolldown/parseAst'
import { describe, expect, it } from 'vitest'

const source = fileURLToPath(new URL('../../src/', import.meta.url))
const judged = fileURLToPath(new URL('judged-patterns.txt', import.meta.url))
const LONG = process.env.KERNDEX_LONG !== undefined

/** Milliseconds for one pattern. */
const PATIENCE = 10_000
/** For its automaton: one that takes longer takes much longer, and is tried with inputs instead. */
const AUTOMATON_PATIENCE = LONG ? PATIENCE : 2_000

/** Patterns that are made as the program runs: of constants, or of what the caller gives. */
const MADE: readonly string[] = [
  'symbols/table.ts',
  'probes/facts.ts',
  'probes/kernel-rules.ts',
  'events/input/perf-json.ts',
]

interface Found {
  readonly file: string
  readonly pattern: string
  readonly flags: string
}

/** A pattern as it is written. */
const written = ({ pattern, flags }: Omit<Found, 'file'>) => `/${pattern}/${flags}`

/** By which analysis patterns were found safe, and which. */
const { version } = createRequire(import.meta.url)('recheck/package.json') as { version: string }
const [by, ...safe] = readFileSync(judged, 'utf8').trimEnd().split('\n')
const known = new Set(LONG || by !== `recheck ${version}` ? [] : safe)

const patterns: Found[] = []
const made = new Set<string>()

for (const file of readdirSync(source, { recursive: true, encoding: 'utf8' }).sort()) {
  if (!file.endsWith('.ts') || file.endsWith('.d.ts') || file.includes('assembly')) continue
  visit(file, parseAst(readFileSync(source + file, 'utf8'), { lang: 'ts' }))
}

/** Finds the patterns in a syntax tree, whatever its nodes are. */
function visit(file: string, node: unknown): void {
  if (typeof node !== 'object' || node === null) return
  if ('regex' in node && typeof node.regex === 'object' && node.regex !== null) {
    const { pattern, flags } = node.regex as { pattern: string; flags: string }
    patterns.push({ file, pattern, flags })
  }
  if ('type' in node && node.type === 'NewExpression' && 'callee' in node) {
    const { callee } = node
    if (typeof callee === 'object' && callee !== null && 'name' in callee && callee.name === 'RegExp') made.add(file)
  }
  for (const child of Object.values(node)) visit(file, child)
}

describe('patterns take linear time', () => {
  it('all are found', () => {
    expect(patterns.length).toBeGreaterThan(100)
  })

  it('and none is made as the program runs', () => {
    expect([...made].filter((file) => !MADE.includes(file))).toEqual([])
  })

  it.each([
    ['^(.*) (\\d+) (.*)$', ''],
    ['^(\\s+)\\s*x', ''],
    ['\\s+$', ''],
    ['^(a|a)*$', ''],
    ['^name: *(.*)$', ''],
  ])('the analysis refuses /%s/', async (pattern, flags) => {
    expect((await check(pattern, flags)).status).toBe('vulnerable')
  })

  const files = [...new Set(patterns.map(({ file }) => file))]
  it.each(files)('%s', { timeout: 20 * PATIENCE }, async (file) => {
    const refused: string[] = []
    for (const each of patterns) {
      if (each.file !== file || known.has(written(each))) continue
      const { pattern, flags } = each
      let found = await check(pattern, flags, { checker: 'automaton', timeout: AUTOMATON_PATIENCE })
      // Patterns that look around are no automata, and bounded repetitions make large ones: these are tried with inputs that are
      // bred for them. What such a trial finds once may be an accident of its counting.
      const isSure = () => found.status === 'safe' || (found.status === 'vulnerable' && found.checker === 'automaton')
      for (let tries = 0; tries < 3 && !isSure(); tries++) {
        found = await check(pattern, flags, { checker: 'fuzz', timeout: 2 * PATIENCE })
      }
      if (found.status === 'vulnerable') refused.push(`${written(each)} is ${found.complexity.summary}`)
      else if (found.status === 'unknown') refused.push(`${written(each)} takes too long to be judged`)
      else known.add(written(each))
    }
    expect(refused).toEqual([])
  })

  it.runIf(LONG)('and those of today are written down', () => {
    const all = [...new Set(patterns.map(written))]
    expect(all.filter((each) => !known.has(each))).toEqual([])
    writeFileSync(judged, `recheck ${version}\n${all.sort().join('\n')}\n`)
  })
})
