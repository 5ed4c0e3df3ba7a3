// Packages of others that the bundle takes in: which file of it each goes to, and the notice with their licences.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What others' code may be shipped under without asking them. */
const LICENCES = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT', 'Unlicense']

/** Packages that name the MIT licence but hold no text of it: the terms are those of our own, under their names. */
const WITHOUT_TEXT = ['xz-decompress']

/** The folder of the package that a module is of, and its name. */
function placeOf(id) {
  const match = id.match(/^\0?(.*\/node_modules\/((?:@[^/]+\/)?[^/?]+))\//)
  return match && { folder: match[1], name: match[2] }
}

/** The package of a module that our own code asked for: the module's, or one that needs it. */
export function askedFor(id, context, seen = new Set()) {
  const place = placeOf(id)
  if (place === null || seen.has(id)) return undefined
  seen.add(id)
  const info = context.getModuleInfo(id)
  for (const importer of [...(info?.importers ?? []), ...(info?.dynamicImporters ?? [])]) {
    if (placeOf(importer) === null) return place.name
    const owner = askedFor(importer, context, seen)
    if (owner !== undefined) return owner
  }
  return undefined
}

/** Collects whose code is in what is bundled, over any number of bundles, and writes the notice beside the last. */
export class Notices {
  #folders = new Map()

  /** Takes down the packages of a bundle's modules. */
  plugin = {
    name: 'notices',
    generateBundle: (_, bundle) => {
      for (const { modules = {} } of Object.values(bundle)) {
        for (const [id, { renderedLength }] of Object.entries(modules))
          if (renderedLength > 0) this.#take(placeOf(id)?.folder)
      }
    },
  }

  #take(folder) {
    if (folder !== undefined) this.#folders.set(folder, manifestOf(folder))
  }

  /** Takes down a package whose file holds its dependencies' code as well, such as one that is made for browsers. */
  takeWithDependencies(folder) {
    if (this.#folders.has(folder)) return
    this.#take(folder)
    for (const name of Object.keys(manifestOf(folder).dependencies ?? {})) this.takeWithDependencies(find(name, folder))
  }

  /** The notice: every package with its licence, and a text that several share once. */
  text() {
    const packages = [...this.#folders].map(([folder, manifest]) => ({ folder, ...manifest }))
    packages.sort((a, b) => (a.name < b.name ? -1 : 1))
    const headings = new Map()
    for (const { folder, name, version, license, author } of packages) {
      if (!LICENCES.includes(license)) throw new Error(`${name}: may its code be shipped? Its licence is ${license}`)
      const by = typeof author === 'object' ? author.name : author
      const heading = `${name} ${version}, ${license}${by === undefined ? '' : `, by ${by}`}`
      const text = licenceText(folder, name)
      headings.set(text, [...(headings.get(text) ?? []), heading])
    }
    const parts = [...headings].map(([text, of]) => `\n${'-'.repeat(80)}\n${of.join('\n')}\n\n${text}\n`)
    return `The files of this package hold code of these others.\n${parts.join('')}`
  }
}

function manifestOf(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

/** The folder of a package that another depends on. */
function find(name, folder) {
  const [root, ...inner] = folder.split('/node_modules/')
  for (let depth = inner.length; depth >= 0; depth--) {
    const place = [root, ...inner.slice(0, depth), name].join('/node_modules/')
    try {
      manifestOf(place)
      return place
    } catch {
      // It is further up, then.
    }
  }
  throw new Error(`${name}, which ${folder} needs, is not installed`)
}

function licenceText(folder, name) {
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
  if (files.length > 0) return files.map((file) => readFileSync(join(folder, file), 'utf8').trim()).join('\n\n')
  if (!WITHOUT_TEXT.includes(name)) throw new Error(`${name} holds no licence: say in build/packages.js what is known`)
  const own = readFileSync(new URL('../LICENSE', import.meta.url), 'utf8').trim()
  return own.replace(/^Copyright .*$/m, `Copyright (c) ${manifestOf(folder).author}`)
}
