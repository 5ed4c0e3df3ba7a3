// Where a kernel lay, told by its stacks alone: every stack ends where the kernel was entered, and of all the places that the kernel can be
// moved to, only the right one has the entry points where the stacks end.

import { instance, iterable, wrong } from '../core/arguments.ts'
import { NotFoundError } from '../core/errors.ts'
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

/** How stacks end: where system calls, threads and exceptions begin, on x86 and on arm64. */
const ENTRIES = [
  /^entry_SYSCALL_64(?:_after_hwframe|_safe_stack)?$/,
  /^entry_SYS(?:CALL|ENTER)_compat(?:_after_hwframe)?$/,
  /^ret_from_fork(?:_asm)?$/,
  /^asm_[a-z0-9_]+$/,
  /^el0t_(?:64|32)_(?:sync|irq)$/,
  /^__primary_switched$/,
  /^__secondary_switched$/,
]

/** Where processors start: what they call next does not return, so that the call is the last of it. */
const STARTS = /^(?:secondary|common)_startup_64(?:_no_verify)?$/
const LAST_BYTES = 32

/** The distance by which the kernel is moved at boot is a multiple of this, on x86 and on arm64. */
const STEP = 0x20_0000n
/** Where images begin within a step: `_text` at its beginning, `_stext` of arm64 behind the image's header. */
const BEGINS: Readonly<Record<string, readonly bigint[]>> = { _text: [0n], _stext: [0n, 0x1_0000n] }
/** So few stacks tell nothing; and so much of the winner's share makes the next best place as likely. */
const LEAST_STACKS = 10
const CLOSE = 0.75
/** By chance one address in 700 lies in an entry point of a place: a place for which so few stacks speak is none. */
const LEAST_SHARE = 0.1
const UPPER_HALF = 1n << 63n

/**
 * Finds where a kernel build lay from the outermost kernel address of each of many stacks, as they stand in a trace: return addresses.
 * Only the core kernel is found so: where modules lay is told by nothing.
 * @throws NotFoundError if there are fewer than 10 stacks, or two places are nearly as likely, or so few stacks speak for the best that
 * chance may, with what was found; UsageError
 */
export function findSlide(build: BuildSymbols, outermost: Iterable<bigint>): FoundSlide {
  built(build, 'build')
  iterable('addresses')(outermost, 'outermost')
  const entries = Array.from(build).flatMap(({ name, offset, size }) => {
    if (ENTRIES.some((entry) => entry.test(name))) return [{ offset, size }]
    if (!STARTS.test(name)) return []
    const last = Math.min(size, LAST_BYTES)
    return [{ offset: offset + BigInt(size - last), size: last }]
  })
  const begins = BEGINS[build.origin] ?? [0n]
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
    for (const { offset, size } of entries) {
      for (const begin of begins) {
        // The origin is where this symbol would reach from just before the address to at most its size before.
        const distance = (((address - 1n - offset - begin) % STEP) + STEP) % STEP
        if (distance < BigInt(size)) places.add(address - 1n - offset - distance)
      }
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
  if (found.share < LEAST_SHARE) {
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

/** A share in words. */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
