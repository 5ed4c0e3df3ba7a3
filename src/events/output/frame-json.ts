// Frames as JSON: addresses as 0x strings, keys in one order, each frame written once and kept.

import { formatAddress } from '../../core/address.ts'
import type { Frame } from '../../stacks/frame.ts'

const written = new WeakMap<Frame, string>()

/** One frame as JSON text. */
export function frameJson(frame: Frame): string {
  let text = written.get(frame)
  if (text === undefined) {
    const { address, symbol, offset, size, owner, aliases, reason, reliable } = frame
    text = JSON.stringify({
      address: address === undefined ? null : formatAddress(address),
      symbol,
      offset,
      size,
      module: owner,
      ...(aliases.length > 0 ? { aliases } : {}),
      ...(reason === undefined ? {} : { reason }),
      ...(reliable ? {} : { reliable: false }),
    })
    written.set(frame, text)
  }
  return text
}

/** The frames of one stack as JSON members: `"kernel_stack":[…]`, and `"user_stack":[…]` where there are user frames. */
export function stackMembers(frames: readonly Frame[]): string {
  let kernel = ''
  let user = ''
  for (const frame of frames) {
    if (frame.user) user += user === '' ? frameJson(frame) : `,${frameJson(frame)}`
    else kernel += kernel === '' ? frameJson(frame) : `,${frameJson(frame)}`
  }
  if (user === '') return `"kernel_stack":[${kernel}]`
  return `"kernel_stack":[${kernel}],"user_stack":[${user}]`
}
