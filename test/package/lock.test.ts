// The lock: that it fits package.json, tells the bytes of every package for every platform, and names no registry.
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

interface Locked {
  readonly version?: string
  readonly integrity?: string
  readonly dependencies?: Record<string, string>
  readonly devDependencies?: Record<string, string>
  readonly peerDependencies?: Record<string, string>
  readonly optionalDependencies?: Record<string, string>
}

const json = async (file: string) =>
  JSON.parse(await readFile(fileURLToPath(new URL(`../../${file}`, import.meta.url)), 'utf8'))
const manifest: Locked = await json('package.json')
const text = JSON.stringify(await json('package-lock.json'))
const { '': root, ...packages }: Record<string, Locked> = JSON.parse(text).packages

/** Where a package finds another, as Node does: in its own folder, or in one further out. */
function found(name: string, from: string): boolean {
  for (let folder = from; ; folder = folder.slice(0, Math.max(folder.lastIndexOf('/node_modules/'), 0))) {
    if (`${folder === '' ? '' : `${folder}/`}node_modules/${name}` in packages) return true
    if (folder === '') return false
  }
}

it('asks for what package.json asks for', () => {
  for (const kind of ['dependencies', 'devDependencies', 'peerDependencies'] as const) {
    expect([kind, root?.[kind]]).toEqual([kind, manifest[kind]])
  }
})

it('tells the bytes of every package, and where none is from', () => {
  const without = Object.entries(packages).filter(([, { integrity }]) => !integrity?.startsWith('sha512-'))
  expect(without.map(([name]) => name)).toEqual([])
  expect(text).not.toMatch(/https?:\/\/[^"]*\.tgz|"resolved"/)
})

it('has what every package needs, on whatever platform', () => {
  const missing = Object.entries(packages).flatMap(([place, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter((name) => !found(name, place))
      .map((name) => `${place} needs ${name}`),
  )
  expect(missing).toEqual([])
  const { optionalDependencies = {} } = packages['node_modules/rolldown'] ?? {}
  expect(Object.keys(optionalDependencies).length).toBeGreaterThan(10)
})
