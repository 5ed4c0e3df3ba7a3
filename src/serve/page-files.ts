// The page as it was built: a handful of files, read once, packed once, under a policy that lets nothing else run. The page itself says which
// tables there are, so that a view asks for its answer at once.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { servedUrl } from '../core/place.ts'
import type { TablesAnswer } from './answers.ts'
import type { Call, Reply } from './call.ts'
import type { Route } from './router.ts'

/** The files, and what they are. */
const FILES: Readonly<Record<string, string>> = {
  'page.html': 'text/html; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
}

const PAGE = 'page.html'

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Where the tables stand in the page; what is no script is not run. */
const TABLES = '<script type="application/json" id="tables">'

interface File {
  readonly bytes: Buffer
  readonly packed: Buffer
  readonly tag: string
}

/** Serves the page. */
export class PageFiles {
  readonly #tables: () => TablesAnswer
  readonly #files = new Map<string, File>()
  #page: { readonly text: string; readonly file: File } | undefined

  constructor(tables: () => TablesAnswer) {
    this.#tables = tables
  }

  /** `/` is the page; the others stand beside it. */
  routes(): Route[] {
    const names = Object.keys(FILES)
    return [
      { method: 'GET', path: '/', run: (call) => reply(call, PAGE, this.#pageNow()) },
      ...names.map(
        (name): Route => ({ method: 'GET', path: `/${name}`, run: (call) => reply(call, name, this.#file(name)) }),
      ),
    ]
  }

  /** The page with the tables as they are. */
  #pageNow(): File {
    // Nothing that a name holds ends the element.
    const text = JSON.stringify(this.#tables()).replaceAll('<', '\\u003c')
    if (this.#page?.text !== text) {
      const page = this.#file(PAGE).bytes.toString()
      this.#page = { text, file: packedFile(Buffer.from(page.replace(TABLES, () => TABLES + text))) }
    }
    return this.#page.file
  }

  #file(name: string): File {
    let file = this.#files.get(name)
    if (file === undefined) {
      file = packedFile(readFileSync(servedUrl(name)))
      this.#files.set(name, file)
    }
    return file
  }
}

function packedFile(bytes: Buffer): File {
  const tag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
  return { bytes, packed: gzipSync(bytes, { level: 9 }), tag }
}

function reply(call: Call, name: string, { bytes, packed, tag }: File): Reply {
  const headers = {
    'Cache-Control': 'no-cache',
    ETag: tag,
    Vary: 'Accept-Encoding',
    'Content-Security-Policy': POLICY,
  }
  if (call.header('if-none-match') === tag) return { status: 304, headers, body: '' }
  const packs = /\bgzip\b/.test(call.header('accept-encoding') ?? '')
  const type = FILES[name]!
  return packs
    ? { type, headers: { ...headers, 'Content-Encoding': 'gzip' }, body: packed }
    : { type, headers, body: bytes }
}
