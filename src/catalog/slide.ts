// Where a kernel lay, told by its stacks alone: every stack ends where the kernel was entered, and of all the places that the kernel can be
// moved to, only the right one has the entry points where the stacks end.

import { instance, iterable, wrong } from '../core/arguments.ts'
import { LimitError, NotFoundError } from '../core/errors.ts'
import { BuildSymbols } from './build-symbols.ts'

/** Where a build lay, and how sure that is. */
export interface FoundSlide {
  /** The address of the build's origin, `_text` or `_stext`. */
  readonly text: bigint
  /** Stacks that were looked at, and the share of them that ends in an entry point there. */
  readonly stacks: number
  readonly share: number
  /** The share of the next best place. */
  readonly runnerUp: number
}

/** A build, as an argument. */
const built = instance(BuildSymbols, 'a build, as catalog.build gives it')

/** Symbols in which stacks end; `last`: in the last of their bytes, because the call is the end of them. */
interface Entry {
  readonly names: RegExp
  readonly last?: number
}

/** How stacks end on an architecture, and how the kernel is moved at boot. */
interface Architecture {
  readonly entries: readonly Entry[]
  /** The distance that it is moved by is a multiple of this. */
  readonly step: bigint
}

const LAST_BYTES = 32

/** Where system calls, threads and exceptions begin, and where processors start: what they call there does not return. */
const ARCHITECTURES: readonly Architecture[] = [
  {
    step: 0x20_0000n,
    entries: [
      { names: /^entry_SYSCALL_64(?:_after_hwframe|_safe_stack)?$/ },
      { names: /^entry_SYS(?:CALL|ENTER)_compat(?:_after_hwframe)?$/ },
      { names: /^ret_from_fork(?:_asm)?$/ },
      { names: /^asm_[a-z0-9_]+$/ },
      // Before 5.8.
      {
        names:
          /^(?:page_fault|general_protection|apic_timer_interrupt|reschedule_interrupt|call_function(?:_single)?_interrupt|ret_from_intr)$/,
      },
      { names: /^(?:secondary|common)_startup_64(?:_no_verify)?$/, last: LAST_BYTES },
    ],
  },
  {
    // arm64. Firmware of the EFI kind puts the image anywhere in steps of 64 KiB, and its address keeps what is below 2 MiB of that.
    step: 0x1_0000n,
    entries: [
      { names: /^el0t?_(?:64_|32_)?(?:sync|irq|fiq|error)(?:_compat)?$/, last: LAST_BYTES },
      { names: /^ret_from_fork$/ },
      { names: /^__(?:primary|secondary)_switched$/, last: LAST_BYTES },
    ],
  },
]

/** More entry points than any kernel has: each address is held against each of them. */
const MOST_ENDS = 4096
/** So few stacks tell nothing; and so much of the winner's share makes the next best place as likely. */
const LEAST_STACKS = 10
const CLOSE = 0.75
/** By chance one address in some hundreds lies in an entry point of a place: a place for which so few stacks speak is none. */
const LEAST_SHARE = 0.1
const LEAST_VOTES = 3
const UPPER_HALF = 1n << 63n

/**
 * Finds where a kernel build lay from the outermost kernel address of each of many stacks, as they stand in a trace: return addresses.
 * Only the core kernel is found so: where modules lay is told by nothing.
 * @throws NotFoundError if there are fewer than 10 stacks, or two places are nearly as likely, or so few stacks speak for the best that
 * chance may, with what was found, or the build is of another architecture than x86-64 and arm64; LimitError if it claims more entry points than kernels have; UsageError
 */
export function findSlide(build: BuildSymbols, outermost: Iterable<bigint>): FoundSlide {
  built(build, 'build')
  iterable('addresses')(outermost, 'outermost')
  const { step, ends } = endsIn(build)
  if (ends.length > MOST_ENDS) throw new LimitError(`${build.buildId} has more than ${MOST_ENDS} entry points`)
  const counts = new Map<bigint, number>()
  let stacks = 0
  for (const address of outermost) {
    if (typeof address !== 'bigint') throw wrong('outermost', 'addresses as bigints', address)
    if (address < UPPER_HALF) continue
    stacks++
    counts.set(address, (counts.get(address) ?? 0) + 1)
  }
  if (stacks === 0) {
    throw new NotFoundError('no stack has an address of the kernel: nothing tells where it lay')
  }
  if (stacks < LEAST_STACKS) {
    throw new NotFoundError(
      `${stacks} stacks tell too little of where the kernel lay: at least ${LEAST_STACKS} are needed`,
    )
  }
  const votes = new Map<bigint, number>()
  for (const [address, count] of counts) {
    const places = new Set<bigint>()
    for (const { offset, size } of ends) {
      // The origin is where this symbol would reach from just before the address to at most its size before.
      const distance = (((address - 1n - offset) % step) + step) % step
      if (distance < BigInt(size)) places.add(address - 1n - offset - distance)
    }
    for (const place of places) votes.set(place, (votes.get(place) ?? 0) + count)
  }
  const [best, next] = [...votes].sort((a, b) => b[1] - a[1])
  if (best === undefined) {
    throw new NotFoundError(
      `none of ${stacks} stacks ends in an entry point of ${build.buildId}: they are of another kernel`,
    )
  }
  const found = { text: best[0], stacks, share: best[1] / stacks, runnerUp: (next?.[1] ?? 0) / stacks }
  if (found.share < LEAST_SHARE || best[1] < LEAST_VOTES) {
    throw new NotFoundError(
      `only ${percent(found.share)} of ${stacks} stacks end in an entry point of ${build.buildId} at any one place: they are cut, or of another kernel`,
    )
  }
  if (found.runnerUp > CLOSE * found.share) {
    throw new NotFoundError(
      `where the kernel lay is not clear: ${percent(found.share)} of ${stacks} stacks speak for one place, ${percent(found.runnerUp)} for another`,
    )
  }
  return found
}

/** The places within a build where stacks end, by the architecture that has most of them, and the step of that. */
function endsIn(build: BuildSymbols): { step: bigint; ends: { offset: bigint; size: number }[] } {
  const symbols = Array.from(build)
  const all = ARCHITECTURES.map(({ step, entries }) => {
    const ends = symbols.flatMap(({ name, offset, size }) => {
      const entry = entries.find(({ names }) => names.test(name))
      if (entry === undefined) return []
      const last = Math.min(size, entry.last ?? size)
      return [{ offset: offset + BigInt(size - last), size: last }]
    })
    return { step, ends }
  })
  const known = all.reduce((most, one) => (one.ends.length > most.ends.length ? one : most))
  // Threads begin in a symbol of the same name on every architecture.
  if (known.ends.length > 1) return known
  throw new NotFoundError(
    `how stacks of ${build.buildId} end is not known: where the kernel lay is told by stacks of x86-64 and arm64 only`,
  )
}

/** A share in words. */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
