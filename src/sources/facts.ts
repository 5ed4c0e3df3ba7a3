// The facts in a kernel's small files: its release, its build id, its modules and their memory. Pure parsing of their bytes.

/** A line of /proc/modules. */
export interface ModuleInfo {
  readonly name: string
  /** Bytes in all, over every piece of its memory. */
  readonly size: number
  /** `Live`, `Loading` or `Unloading`. */
  readonly state: string
  /** The first address; 0 where addresses are hidden. */
  readonly address: bigint
}

/** The modules that /proc/modules lists, newest first as there; lines of another form are left out. */
export function parseModules(text: Buffer): ModuleInfo[] {
  const modules: ModuleInfo[] = []
  for (const line of text.toString('latin1').split('\n')) {
    const [name, size, , , state, address] = line.split(' ')
    if (name === undefined || size === undefined || state === undefined) continue
    if (!/^\d+$/.test(size) || !/^0x[0-9a-f]+$/.test(address ?? '')) continue
    modules.push({ name, size: Number(size), state, address: BigInt(address ?? 0) })
  }
  return modules
}

/** The module that a file holds, by its name: `nf-tables.ko.xz` is `nf_tables`; undefined for any other file. */
export function moduleOfFile(path: string): string | undefined {
  const module = /^([\w-]+)\.ko(?:\.\w+)?$/.exec(path.slice(path.lastIndexOf('/') + 1))?.[1]
  return module?.replaceAll('-', '_')
}

/** The build ids in lines `MODULE BUILD-ID SRCVERSION STATE TAINT`, as captures hold them; a module without one has none here. */
export function parseBuildIds(text: Buffer): ReadonlyMap<string, string> {
  const ids = new Map<string, string>()
  for (const line of text.toString('latin1').split('\n')) {
    const [name = '', id = ''] = line.split(' ', 2)
    if (/^[0-9a-f]{2,128}$/.test(id)) ids.set(name, id)
  }
  return ids
}

/** The identity of a module across boots. */
export interface ModuleIdentity {
  readonly buildId: string | undefined
  readonly srcversion: string | undefined
  readonly state: string | undefined
  readonly taint: string | undefined
}

/** The identities in lines `MODULE BUILD-ID SRCVERSION STATE TAINT`, as captures hold them. */
export function parseIdentities(text: Buffer): ReadonlyMap<string, ModuleIdentity> {
  const identities = new Map<string, ModuleIdentity>()
  for (const line of text.toString('latin1').split('\n')) {
    const [name = '', ...words] = line.split(' ', 5)
    const [buildId, srcversion, state, taint] = words.map((word) => (word === '-' || word === '' ? undefined : word))
    if (name === '' || identities.has(name)) continue
    const isId = buildId !== undefined && /^[0-9a-f]{8,128}$/.test(buildId)
    const isVersion = srcversion !== undefined && /^[0-9A-Za-z]{1,64}$/.test(srcversion)
    identities.set(name, {
      buildId: isId ? buildId : undefined,
      srcversion: isVersion ? srcversion : undefined,
      state,
      taint,
    })
  }
  return identities
}

/** Where the sections of a module begin, as columns: which of `names` each has, and the halves of its address. */
export interface ModuleSections {
  readonly names: readonly string[]
  readonly name: Uint16Array
  readonly high: Uint32Array
  readonly low: Uint32Array
}

/** The shortest line of sections: `a b 0x1`. */
const SHORTEST = 8
/** Different names of sections: hundreds on a kernel with thousands of modules. */
const MOST_NAMES = 65_536

/**
 * The sections of each module, from lines `MODULE SECTION 0xADDRESS` as captures have them, a module's behind each other. Lines
 * of another form are left out, and so are addresses of zero, which the kernel shows to users who may not see them.
 */
export function parseModuleSections(text: Buffer): Map<string, ModuleSections> {
  // One string and few steps a line: these are tens of thousands of lines for code that runs once.
  const all = text.toString('latin1')
  const most = Math.ceil(all.length / SHORTEST)
  const name = new Uint16Array(most)
  const high = new Uint32Array(most)
  const low = new Uint32Array(most)
  const names: string[] = []
  const numbers = new Map<string, number>()
  const modules = new Map<string, ModuleSections>()
  let count = 0
  let from = 0
  let prefix = ' '
  let upperDigits = ''
  let upper = 0
  const endModule = () => {
    const module = prefix.slice(0, -1)
    if (count > from && !modules.has(module)) {
      const columns = {
        name: name.subarray(from, count),
        high: high.subarray(from, count),
        low: low.subarray(from, count),
      }
      modules.set(module, { names, ...columns })
    }
    from = count
  }
  for (let at = 0, end = 0; at < all.length; at = end + 1) {
    end = all.indexOf('\n', at)
    if (end < 0) end = all.length
    // Never searched beyond: a text without a blank costs no more than another.
    const line = all.slice(at, end)
    const isNext = !line.startsWith(prefix)
    const start = isNext ? line.indexOf(' ') + 1 : prefix.length
    const blank = line.indexOf(' 0x', start)
    const digits = line.length - blank - 3
    if (start === 0 || blank < 0 || digits < 1 || digits > 16) continue
    const split = Math.max(blank + 3, line.length - 8)
    if (!line.startsWith(upperDigits, blank + 1) || split - blank - 1 !== upperDigits.length) {
      upperDigits = line.slice(blank + 1, split)
      upper = digits > 8 ? Number(upperDigits) : 0
    }
    const lower = Number(`0x${line.slice(split)}`)
    if (Number.isNaN(upper + lower) || upper + lower === 0) continue
    if (isNext) {
      endModule()
      prefix = line.slice(0, start)
    }
    const spelled = line.slice(start, blank)
    let number = numbers.get(spelled)
    if (number === undefined) {
      if (names.length === MOST_NAMES) continue
      number = names.push(spelled) - 1
      numbers.set(spelled, number)
    }
    name[count] = number
    high[count] = upper
    low[count++] = lower
  }
  endModule()
  return modules
}

/** The release in /proc/version: `6.1.0-56-amd64` of `Linux version 6.1.0-56-amd64 (…) …`. */
export function parseRelease(version: Buffer): string | undefined {
  return /^Linux version (\S+)/.exec(version.toString('latin1'))?.[1]
}

const NT_GNU_BUILD_ID = 3

/**
 * The kernel's GNU build id in hexadecimal, out of the ELF notes of /sys/kernel/notes; undefined if there is none. The
 * notes' numbers are in the kernel's byte order, which is tried as little endian first.
 */
export function parseBuildId(notes: Buffer): string | undefined {
  return buildIdIn(notes, (at) => notes.readUInt32LE(at)) ?? buildIdIn(notes, (at) => notes.readUInt32BE(at))
}

function buildIdIn(notes: Buffer, word: (at: number) => number): string | undefined {
  let at = 0
  while (at + 12 <= notes.length) {
    const nameBytes = word(at)
    const valueBytes = word(at + 4)
    const valueStart = at + 12 + Math.ceil(nameBytes / 4) * 4
    const end = valueStart + valueBytes
    if (end > notes.length) return undefined
    const name = notes.toString('latin1', at + 12, at + 12 + nameBytes)
    if (name === 'GNU\0' && word(at + 8) === NT_GNU_BUILD_ID) return notes.toString('hex', valueStart, end)
    at = valueStart + Math.ceil(valueBytes / 4) * 4
  }
  return undefined
}
