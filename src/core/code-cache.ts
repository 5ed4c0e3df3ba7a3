// What V8 has compiled of the package's parts, kept by an earlier process in the cache that its user lets kerndex have. It is code that
// will be run: nothing is used that another user could have written, that is of other code, another version or other flags, or
// damaged. This file is read before anything else of the package, so it is one of its own, and small. Where there is no such cache,
// parts are read as `require` reads them.

import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, readSync, type Stats } from 'node:fs'
import { createRequire, Module } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'
import { CODE_FOLDER, cacheFolder, distrust, type FolderUser } from './cache-folder.ts'

/** Set by the bundler: a digest of all parts. */
declare const KERNDEX_PARTS: string

/** The parts, as they name each other. Some import packages (packages.ts), which code that was kept cannot. */
const PART = /^\.\/part-(?!imports)[\w-]+\.cjs$/

/** The text that Node puts around a CommonJS file. */
const WRAPPER = ['(function (exports, require, module, __filename, __dirname) { ', '\n})'] as const

/** The largest file that is looked at. */
const MOST_BYTES = 1 << 25

/** The cache as one process uses it. */
interface CodeCache {
  readonly directory: string
  readonly uid: number
  /** The flags and versions by which V8 compiles, beside the text. */
  readonly flags: string
}

/** How files of the cache are opened: no link is followed, and no pipe waited for. */
const OWN = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** A part that was read here. */
interface Part {
  readonly name: string
  readonly script: Script
  /** What its compiled code is of, and by what V8 compiled it. */
  readonly key: Buffer
  /** The ways that a file of the cache has it by, a bit each: see `bitOf`; none where there is no such file. */
  readonly ways: Buffer
}

/** A file for what V8 has compiled of a part. */
export interface CompiledPart {
  readonly directory: string
  readonly name: string
  readonly bytes: Uint8Array
}

const here = fileURLToPath(import.meta.url)
const read = createRequire(here)
const parts: Part[] = []
/** Those that are whole: to ask Node for one takes as long as a hundred lookups. */
const whole = new Map<string, Module>()
/** Null where there is none. */
let known: CodeCache | null | undefined

/** What `require` is beside the parts; they are compiled by what was kept of them. */
export const readPart: NodeJS.Require = Object.assign((id: string) => takePart(id)?.exports ?? read(id), read)

/** Has parts at hand for files that ask Node for them, because bundlers look for calls of `require`. */
export function takeParts(ids: readonly string[]): void {
  for (const id of ids) takePart(id)
}

/**
 * Parts with what this process has compiled of them on its way, such as a command, where nothing is kept by that yet, each once; what was kept by
 * other ways is in them. Keeping one takes milliseconds.
 */
export function* compiledParts(way: string): Generator<CompiledPart> {
  if (!known) return
  const { directory } = known
  const { byte, bit } = bitOf(way)
  for (const { name, script, key, ways } of parts) {
    if ((ways[byte]! & bit) !== 0) continue
    ways[byte]! |= bit
    const code = script.createCachedData()
    yield { directory, name, bytes: Buffer.concat([code, code, ways, key]) }
  }
}

/** Bytes that say by which ways a part was kept. */
const WAYS_BYTES = 32

/** V8 compiles a function when it is first called, so that processes that go different ways have different code. Two ways may share a bit. */
function bitOf(way: string): { readonly byte: number; readonly bit: number } {
  const number = Number.parseInt(shortHash(way), 16) % (8 * WAYS_BYTES)
  return { byte: number >>> 3, bit: 1 << (number & 7) }
}

/** The folder of compiled code in a user's cache, there or not; undefined without a cache that is the user's alone. */
export function codeDirectory(user: FolderUser): string | undefined {
  const found = cacheFolder(user)
  if (!('directory' in found) || isOwn(found.directory, user.uid) !== true) return undefined
  const code = join(found.directory, CODE_FOLDER)
  return isOwn(code, user.uid) === false ? undefined : code
}

/** Whether that is a folder that its user alone may use; undefined where nothing is. */
function isOwn(path: string, uid: number): boolean | undefined {
  try {
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found === undefined) return undefined
    return found.isDirectory() && distrust(found, uid, 'directory') === undefined
  } catch {
    return false
  }
}

/**
 * Whether this process may do more than its user, by capabilities or by a program that belongs to another user: the user who started it
 * has chosen HOME, and could have written the files there.
 */
function mayDoMore(uid: number): boolean {
  if (process.getuid?.() !== uid) return true
  try {
    return uid !== 0 && !/^CapPrm:\s*0+$/m.test(readFileSync('/proc/self/status', 'latin1'))
  } catch {
    return true
  }
}

/** Node's switch for its own compiled code is this one's, too. */
function openCodeCache(): CodeCache | undefined {
  const { env, versions } = process
  const uid = process.geteuid?.()
  if (uid === undefined || versions.bun !== undefined || versions.deno !== undefined) return undefined
  if (env.NODE_DISABLE_COMPILE_CACHE || env.NODE_V8_COVERAGE) return undefined
  const directory = codeDirectory({ uid, env })
  if (directory === undefined || mayDoMore(uid)) return undefined
  // The word behind `-e` is no flag.
  const given = process.execArgv.filter((each) => each.startsWith('--'))
  return { directory, uid, flags: [process.version, process.arch, env.NODE_OPTIONS ?? '', ...given].join('\n') }
}

/** A part, put where `require` finds it, if there is a cache; undefined for anything else. */
function takePart(id: string): Module | undefined {
  const taken = whole.get(id)
  if (taken !== undefined || !PART.test(id)) return taken
  known ??= openCodeCache() ?? null
  const path = join(dirname(here), id)
  if (known === null || read.cache[path] !== undefined) return undefined
  const part = compiled(path, known)
  if (part === undefined) return undefined
  const module = new Module(path)
  module.filename = path
  read.cache[path] = module
  try {
    part.script.runInThisContext()(module.exports, readPart, module, path, dirname(path))
  } catch (error) {
    delete read.cache[path]
    throw error
  }
  module.loaded = true
  parts.push(part)
  whole.set(id, module)
  return module
}

/** A part's code; undefined where there is no such file. */
function compiled(path: string, { directory, uid, flags }: CodeCache): Part | undefined {
  const [before, behind] = WRAPPER
  const text = contentsOf(path, undefined, before.length, behind.length)
  if (text === undefined) return undefined
  const { bytes, found } = text
  bytes.write(before, 0, 'latin1')
  bytes.write(behind, bytes.length - behind.length, 'latin1')
  const code = bytes.toString('latin1')
  // A file that was changed is another one.
  const key = Buffer.from([path, found.size, found.mtimeMs, found.ctimeMs, KERNDEX_PARTS, flags].join('\n'))
  const name = `${basename(path, '.cjs')}-${shortHash(`${path}\n${flags}`)}`
  const kept = contentsOf(join(directory, name), uid)
  const taken = kept && codeIn(kept.bytes, key)
  const cachedData = taken?.code
  const script = new Script(code, {
    filename: path,
    columnOffset: -before.length,
    ...(cachedData !== undefined && { cachedData }),
  })
  // V8 refuses code that it compiled by other flags.
  const isTaken = taken !== undefined && script.cachedDataRejected === false
  return { name, script, key, ways: isTaken ? taken.ways : Buffer.alloc(WAYS_BYTES) }
}

/**
 * The code in a kept file, which has it twice, then the ways, and then what it is of: to compare bytes is what a process that has just begun does
 * fastest, and V8 looks for no damage. Undefined if it is of something else, or damaged.
 */
function codeIn(kept: Buffer, key: Buffer): { readonly code: Buffer; readonly ways: Buffer } | undefined {
  const end = kept.length - key.length - WAYS_BYTES
  if (end <= 0 || !kept.subarray(end + WAYS_BYTES).equals(key)) return undefined
  const code = kept.subarray(0, end / 2)
  if (!code.equals(kept.subarray(end / 2, end))) return undefined
  return { code, ways: Buffer.from(kept.subarray(end, end + WAYS_BYTES)) }
}

/** What tells files of one part by their names; what they are of stands in them. */
function shortHash(text: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}

/**
 * What a file holds, with room before and behind it; with an owner, only a file that is theirs alone. Undefined where there is
 * none.
 */
function contentsOf(path: string, owner?: number, before = 0, behind = 0): { bytes: Buffer; found: Stats } | undefined {
  let file: number | undefined
  try {
    file = openSync(path, owner === undefined ? constants.O_RDONLY : OWN)
    const found = fstatSync(file)
    if (!found.isFile() || found.size > MOST_BYTES) return undefined
    if (owner !== undefined && distrust(found, owner, 'file') !== undefined) return undefined
    const bytes = Buffer.allocUnsafe(before + found.size + behind)
    return readSync(file, bytes, before, found.size, 0) === found.size ? { bytes, found } : undefined
  } catch {
    return undefined
  } finally {
    if (file !== undefined) closeSync(file)
  }
}
