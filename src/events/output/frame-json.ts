// Frames as JSON: addresses as 0x strings, keys in one order, each frame written once and kept.

import { formatAddress } from '../../core/address.ts'
import type { Frame } from '../../stacks/frame.ts'

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

/** The frames of one stack as JSON members: `"kernel_stack":[…]`, and `"user_stack":[…]` where there are user frames. */
export function stackMembers(frames: readonly Frame[]): string {
  const kernel: string[] = []
  const user: string[] = []
  for (const frame of frames) (frame.user ? user : kernel).push(frameJson(frame))
  // Joined, not added piece by piece: events wait, and a string that is a tree of pieces is costly to keep.
  const text = `"kernel_stack":[${kernel.join()}]`
  return user.length === 0 ? text : `${text},"user_stack":[${user.join()}]`
}
