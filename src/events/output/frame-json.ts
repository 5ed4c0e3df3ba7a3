// Frames as JSON: addresses as 0x strings, keys in one order, each frame written once and kept.

import { formatAddress } from '../../core/address.ts'
import type { Frame, StackShape } from '../../stacks/frame.ts'

const written = new WeakMap<Frame, string>()

/** One frame as JSON text. */
export function frameJson(frame: Frame): string {
  let text = written.get(frame)
  if (text === undefined) {
    const { address, symbol, offset, size, owner, aliases, reason, reliable, printed, user, inlined } = frame
    text = JSON.stringify({
      address: address === undefined ? null : formatAddress(address),
      symbol,
      offset,
      size,
      module: owner,
      ...(aliases.length > 0 ? { aliases } : {}),
      ...(reason === undefined ? {} : { reason }),
      ...(printed && !user ? { printed } : {}),
      ...(inlined ? { inlined } : {}),
      ...(reliable ? {} : { reliable: false }),
    })
    written.set(frame, text)
  }
  return text
}

/** The facts of a stack that are written once for all its frames. */
export interface StackSaying {
  readonly shape: StackShape
  /** Frames are looked up as they stand, whatever they are: none of them is told to be a PC. */
  readonly raw: boolean
}

/**
 * The frames of one stack as JSON members: `"kernel_stack":[…]`, `"user_stack":[…]` where there are user frames, and what a reader
 * needs to look them up again: `"shape":"returns"` where all are return addresses, and `"pc":true` of a frame that is none though
 * its place in the stack does not say so.
 */
export function stackMembers(frames: readonly Frame[], { shape, raw }: StackSaying): string {
  const kernel: string[] = []
  const user: string[] = []
  let pc = shape === 'pc-first'
  for (const frame of frames) {
    const text = frameJson(frame)
    const told = raw || pc || !frame.pc || frame.user
    const list = frame.user ? user : kernel
    list.push(told ? text : `${text.slice(0, -1)},"pc":true}`)
    if (!frame.inlined) pc = frame.entry
  }
  // Joined, not added piece by piece: events wait, and a string that is a tree of pieces is costly to keep.
  const text = `"kernel_stack":[${kernel.join()}]`
  const members = user.length === 0 ? text : `${text},"user_stack":[${user.join()}]`
  return shape === 'returns' ? `${members},"shape":"returns"` : members
}
