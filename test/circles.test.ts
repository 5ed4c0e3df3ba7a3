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
      .filter((file) => /\.tsx?$/.test(file) && !file.includes('assembly/'))
      .map((file) => resolve(root, room, file)),
  )
  const all = new Set(files)
  const of = (file: string) =>
    [...readFileSync(file, 'utf8').matchAll(/^(?:import|export|\}) .*?from '(\.[^']+)'/gm)]
      .map(([, path]) => resolve(dirname(file), path!))
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
