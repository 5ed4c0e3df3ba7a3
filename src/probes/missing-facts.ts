// Reasons that name a fact which is missing and say how to get it; made once, because many targets share them.

import { isAbsence } from '../sources/source.ts'
import type { ProbeFacts } from './facts.ts'
import { type Reason, reason, type UnknownCode } from './reasons.ts'

/** Under lockdown "confidentiality" tracefs and debugfs cannot be read at all (LOCKDOWN_TRACEFS, LOCKDOWN_DEBUGFS). */
const LOCKED =
  'the kernel is locked down (confidentiality), under which neither tracefs nor debugfs can be read: put a copy of it from a boot without lockdown into a capture'
const FILTER_HOW =
  'read /sys/kernel/tracing/available_filter_functions as root (mount -t tracefs nodev /sys/kernel/tracing), or put a copy of it into the capture'
const BLACKLIST_HOW =
  'read /sys/kernel/debug/kprobes/blacklist as root (mount -t debugfs none /sys/kernel/debug), or put a copy of it into the capture as kprobes_blacklist'
const MEMORY_HOW =
  'as root on the running kernel, /proc/kcore has it for functions of vmlinux; elsewhere an attempt tells, and hardly ever is one refused'
const INJECTION_HOW =
  'read /sys/kernel/debug/error_injection/list as root, or put a copy of it into the capture as error_injection_list'

/** The missing facts of one host. */
export class MissingFacts {
  readonly #facts: ProbeFacts
  readonly #made = new Map<string, Reason>()

  constructor(facts: ProbeFacts) {
    this.#facts = facts
  }

  /** No list of traceable functions. */
  get traceable(): Reason {
    const why = whyMissing(this.#facts.traceable)
    return this.#once('UNKNOWN_TRACEABLE', () => this.#say('available_filter_functions is missing', why, FILTER_HOW))
  }

  /** Several functions of one name, of which the list has fewer. */
  get whichTraceable(): Reason {
    return this.#once('UNKNOWN_WHICH_TRACEABLE', () => {
      const what =
        'only some of the functions of this name can be traced, and available_filter_functions does not say which'
      const how =
        'available_filter_functions_addrs does (Linux 6.5 and later: read it as root, or copy it into the capture)'
      return `${what}; ${how}, and on older kernels an attempt: one that cannot be traced is refused with EINVAL`
    })
  }

  /** No kprobe blacklist. */
  get blacklist(): Reason {
    const why = whyMissing(this.#facts.blacklist)
    return this.#once('UNKNOWN_BLACKLIST', () => this.#say('the kprobe blacklist is missing', why, BLACKLIST_HOW))
  }

  /** No list of functions whose errors may be injected. */
  get errorInjection(): Reason {
    const why = whyMissing(this.#facts.errorInjection)
    return this.#once('UNKNOWN_ERROR_INJECTION', () =>
      this.#say('the list of functions whose errors may be injected is missing', why, INJECTION_HOW),
    )
  }

  /** The kernel's code, which no file has. */
  get instruction(): Reason {
    return this.#once('UNKNOWN_INSTRUCTION', () => {
      const what = 'whether an instruction begins there, and whether jump labels or static calls reserve it'
      return `${what}, needs the kernel's code to tell: the kernel refuses what is wrong with EILSEQ or EINVAL`
    })
  }

  /** Several symbols of one name, and a kernel whose version does not tell whether it refuses that. */
  get whetherUnique(): Reason {
    const what = 'whether this kernel refuses a name that several symbols have'
    return reason(
      'UNKNOWN_RELEASE',
      `${what} depends on its release, or on symbols that were left out: an attempt tells`,
    )
  }

  /** Several functions of one name, and nothing that says which the kernel takes. */
  get whichTaken(): Reason {
    return this.#once('UNKNOWN_WHICH', () => {
      const what = 'not all of the functions of this name can be probed'
      return `${what}, and the kernel takes the first in its module's own symbol table, whose order nothing tells`
    })
  }

  /** An instruction begins there, which may be one that the kernel reserves: of 47,382 functions of a 7.3 kernel 182 begin so. */
  get reserved(): Reason {
    return this.#once(
      'UNKNOWN_INSTRUCTION',
      () => {
        const what = 'an instruction begins there; whether it is a jump label, a static call or a BUG'
        const why = whyMissing(this.#facts.reserved) || "modules' tables are not read"
        return `${what}, which the kernel refuses with EINVAL, only its memory tells (${why}): ${MEMORY_HOW}`
      },
      'reserved',
    )
  }

  #say(what: string, why: string, how: string): string {
    return `${what} (${why}): ${this.#facts.lockdown === 'confidentiality' ? LOCKED : how}`
  }

  #once(code: UnknownCode, message: () => string, key: string = code): Reason {
    let made = this.#made.get(key)
    if (made === undefined) {
      made = reason(code, message())
      this.#made.set(key, made)
    }
    return made
  }
}

function whyMissing(fact: object): string {
  return isAbsence(fact) ? fact.reason : ''
}
