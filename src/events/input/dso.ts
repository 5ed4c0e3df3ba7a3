// The file that perf and its like print beside a symbol (a "dso"): the kernel, a module, or a file of user space.

import { moduleOfFile } from '../../sources/facts.ts'
import { detached } from '../format.ts'

/** The facts about a frame that its file tells. */
export interface FrameFile {
  /** `vmlinux`, a module, or the file as printed; undefined where none was, or `[unknown]`. */
  readonly owner: string | undefined
  readonly user: boolean
}

/** Names in brackets that are memory of user space. */
const USER = /^\[(?:vdso|vdso32|vsyscall|vvar|heap|stack|anon|uprobes|JIT\b)/
/** Where kernels' addresses begin that have 57 bits; what lies between them and user space is no address. */
const KERNEL_HALF = 0xff00_0000_0000_0000n
/** The page that x86 keeps for system calls of old (VSYSCALL_ADDR of arch/x86/include/uapi/asm/vsyscall.h). */
const VSYSCALL = 0xffff_ffff_ff60_0000n

export const NO_FILE: FrameFile = { owner: undefined, user: false }
/** Files read so far, in the lower and the upper half of memory; when there are more, all are forgotten. */
const LIMIT = 4096
const known = [new Map<string, FrameFile>(), new Map<string, FrameFile>()] as const

/** Reads a file's name. perf names the kernel in brackets, or by the file it was read from: a path to vmlinux or a `.ko`. */
export function fileOf(dso: string, address: bigint | undefined): FrameFile {
  const high = address !== undefined && address >= KERNEL_HALF && (address < VSYSCALL || address >= VSYSCALL + 0x1000n)
  const files = known[high ? 1 : 0]
  let file = files.get(dso)
  if (file === undefined) {
    if (files.size >= LIMIT) files.clear()
    file = readFile(dso, high)
    files.set(detached(dso), file)
  }
  return file
}

function readFile(dso: string, high: boolean): FrameFile {
  // `+dsoff` of -F: where in the file.
  const offset = /\+0x[0-9a-f]{1,16}$/.exec(dso)
  const file = offset === null ? dso : dso.slice(0, offset.index)
  if (file === '[unknown]' || file === 'unknown') return { owner: undefined, user: !high }
  if (/^\[(?:guest\.)?kernel\b/.test(file)) return { owner: 'vmlinux', user: false }
  if (file.startsWith('[') && file.endsWith(']')) {
    const name = file.slice(1, -1)
    const module = /^[\w.-]+$/.test(name) && !USER.test(file)
    return module ? { owner: name, user: false } : { owner: file, user: !high }
  }
  const base = file.slice(file.lastIndexOf('/') + 1)
  if (/^(?:vmlinux|kcore$|kallsyms$|vmlinuz)/.test(base)) return { owner: 'vmlinux', user: false }
  const module = moduleOfFile(base)
  if (module !== undefined) return { owner: module, user: false }
  return { owner: file, user: !high }
}
