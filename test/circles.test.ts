// The sources and the harness import each other in one direction: no file reaches itself by its imports, types included.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

/** By file: the files that it imports or exports from. */
function imports(): Map<string, string[]> {
  const files = ['src', 'bench', 'workers'].flatMap((room) =>
    readdirSync(resolve(root, room), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.tsx?$/.test(file))
      .map((file) => resolve(root, room, file)),
  )
  const all = new Set(files)
  const of = (file: string) =>
    [...readFileSync(file, 'utf8').matchAll(/^(?:import|export|\}) .*?from '(\.[^']+)'/gm)]
      // The sources of compiled loops name files without their ending.
      .map(([, path]) => resolve(dirname(file), /\.tsx?$/.test(path!) ? path! : `${path}.ts`))
      .filter((path) => all.has(path))
  return new Map(files.map((file) => [file, of(file)]))
}

/** A way from a file over others back to itself; undefined if there is none. */
function circle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>()
  const way: string[] = []
  const follow = (file: string): string[] | undefined => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file]
    if (done.has(file)) return undefined
    way.push(file)
    for (const next of graph.get(file) ?? []) {
      const found = follow(next)
      if (found !== undefined) return found
    }
    way.pop()
    done.add(file)
    return undefined
  }
  for (const file of graph.keys()) {
    const found = follow(file)
    if (found !== undefined) return found
  }
  return undefined
}

test('no file imports itself by way of others', () => {
  const graph = imports()
  expect(graph.size).toBeGreaterThan(200)
  expect([...graph.values()].flat().length).toBeGreaterThan(1000)
  expect(circle(graph)?.map((file) => file.slice(root.length))).toBeUndefined()
  expect(
    circle(
      new Map([
        ['a', ['b']],
        ['b', ['c']],
        ['c', ['a']],
      ]),
    ),
  ).toEqual(['a', 'b', 'c', 'a'])
})

/** The rooms in the order in which docs/design.md lists them: the number of its row, by folder or file. */
function rooms(): Map<string, number> {
  const [, list = ''] = readFileSync(resolve(root, 'docs/design.md'), 'utf8').split('\n## Rooms\n')
  const rows = (list.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'))
  return new Map(
    rows.flatMap((row, number) =>
      Array.from(row.split(' | ')[0]!.matchAll(/`([^`]+)`/g), ([, name]) => [name!, number]),
    ),
  )
}

test('a room imports only rooms that docs/design.md lists above it', () => {
  const order = rooms()
  const source = resolve(root, 'src')
  const rankOf = (file: string) => {
    const [first = '', ...rest] = file.slice(source.length + 1).split('/')
    return order.get(rest.length > 0 ? `${first}/` : first)
  }
  const wrong: string[] = []
  for (const [file, others] of imports()) {
    if (!file.startsWith(`${source}/`)) continue
    const own = rankOf(file)
    if (own === undefined) wrong.push(`${file} is in no room`)
    for (const other of others) {
      const rank = rankOf(other)
      if (own !== undefined && rank !== undefined && rank > own) wrong.push(`${file} imports ${other}`)
    }
  }
  expect(order.size).toBeGreaterThan(20)
  expect(wrong.map((words) => words.replaceAll(`${source}/`, ''))).toEqual([])
})
