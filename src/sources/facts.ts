// What a kernel's small files say: its release, its build id, its modules and their memory. Pure parsing of their bytes.

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

/** Where a section of a module begins, as halves of the address. */
export interface ModuleSection {
  readonly name: string
  readonly high: number
  readonly low: number
}

/**
 * The sections of each module, from lines `MODULE SECTION 0xADDRESS` as captures have them. Lines of another form are left out,
 * and so are addresses of zero, which the kernel shows to those who may not see them.
 */
export function parseModuleSections(text: Buffer): Map<string, ModuleSection[]> {
  const modules = new Map<string, ModuleSection[]>()
  // One string and few steps a line: these are tens of thousands of lines for code that runs once.
  const all = text.toString('latin1')
  let own: ModuleSection[] = []
  let module = ''
  let prefix = ' '
  for (let at = 0, end = 0; at < all.length; at = end + 1) {
    end = all.indexOf('\n', at)
    if (end < 0) end = all.length
    // Lines of one module follow each other.
    if (!all.startsWith(prefix, at)) {
      const blank = all.indexOf(' ', at)
      if (blank < 0 || blank > end) continue
      prefix = all.slice(at, blank + 1)
      module = all.slice(at, blank)
      own = modules.get(module) ?? []
    }
    const name = at + prefix.length
    const blank = all.indexOf(' 0x', name)
    const digits = end - blank - 3
    if (blank < 0 || digits < 1 || digits > 16) continue
    const high = digits > 8 ? Number(all.slice(blank + 1, end - 8)) : 0
    const low = Number(`0x${all.slice(Math.max(blank + 3, end - 8), end)}`)
    if (Number.isNaN(high + low) || high + low === 0) continue
    if (own.length === 0) modules.set(module, own)
    own.push({ name: all.slice(name, blank), high, low })
  }
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
