// Where the loops find what they work on: see ../constants.ts.

import { BUILD_STRETCHES } from '../constants'

/** A word of a build, or of anything else, that is an address. */
export function address(base: usize, field: usize): usize {
  return <usize>load<u32>(base + field)
}

export function stretchOf(build: usize, number: u32): usize {
  return <usize>load<u32>(address(build, BUILD_STRETCHES) + (number << 2))
}
