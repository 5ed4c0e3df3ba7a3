// The page as it was built: a handful of files, read once, packed once, under a policy that lets nothing else run.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { servedUrl } from '../core/place.ts'
import type { Call, Reply } from './call.ts'
import type { Route } from './router.ts'

/** The files, and what they are. */
const FILES: Readonly<Record<string, string>> = {
  'page.html': 'text/html; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
}

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

interface File {
  readonly bytes: Buffer
  readonly packed: Buffer
  readonly tag: string
}

/** Serves the page. */
export class PageFiles {
  readonly #files = new Map<string, File>()

  /** `/` is the page; the others stand beside it. */
  routes(): Route[] {
    const route = (path: string, name: string): Route => ({
      method: 'GET',
      path,
      run: (call) => this.#reply(call, name),
    })
    return [route('/', 'page.html'), ...Object.keys(FILES).map((name) => route(`/${name}`, name))]
  }

  #reply(call: Call, name: string): Reply {
    const { bytes, packed, tag } = this.#file(name)
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

  #file(name: string): File {
    let file = this.#files.get(name)
    if (file === undefined) {
      const bytes = readFileSync(servedUrl(name))
      const tag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
      file = { bytes, packed: gzipSync(bytes, { level: 9 }), tag }
      this.#files.set(name, file)
    }
    return file
  }
}
