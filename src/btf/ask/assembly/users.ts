// Who refers to whom: the loops over all types of all sets, the only implementation. ../users-index.ts says what is made of them.
// Addresses are bytes in the one memory.

import {
  RETURNS,
  STATE_BELOW,
  STATE_COUNTS,
  STATE_ENDS,
  STATE_FIRST,
  STATE_FIRST_ID,
  STATE_FROM,
  STATE_KINDS,
  STATE_LENGTH,
  STATE_PLACES,
  STATE_REFERENCES,
  STATE_SIZE,
  STATE_WORDS,
  TAKES,
  USER,
  USES_FIRST,
  USES_ONE,
  USES_ROLES,
  USES_STEP,
} from '../users-constants'

/** Takes in what some types of a set refer to: each type once, however often it is named. */
export function refer(kindTable: usize, state: usize): void {
  const words = <usize>load<u32>(state, STATE_WORDS)
  const places = <usize>load<u32>(state, STATE_PLACES)
  const size = load<u32>(state, STATE_SIZE)
  const firstId = load<u32>(state, STATE_FIRST_ID)
  const first = load<u32>(state, STATE_FIRST)
  const from = first + load<u32>(state, STATE_FROM)
  const below = <usize>load<u32>(state, STATE_BELOW)
  const kinds = <usize>load<u32>(state, STATE_KINDS)
  const ends = <usize>load<u32>(state, STATE_ENDS)
  const counts = <usize>load<u32>(state, STATE_COUNTS)
  const references = <usize>load<u32>(state, STATE_REFERENCES)
  let length = load<u32>(state, STATE_LENGTH)
  for (let i: u32 = 0; i < size; i++) {
    const record = words + ((<usize>load<u32>(places + ((<usize>i) << 2))) << 2)
    const info = load<u32>(record, 4)
    const kind = (info >> 24) & 0x7f
    const ordinal = <usize>(from + i)
    store<u8>(kinds + ordinal, kind)
    const row = kindTable + <usize>kind
    const begin = length
    const step = <usize>load<u8>(row, USES_STEP)
    let count = <u32>load<u8>(row, USES_ONE)
    if (step > 0) count += info & 0xffffff
    let role: u32 = load<u8>(row, USES_ROLES) === 1 ? RETURNS : 0
    let word = record + ((<usize>load<u8>(row, USES_FIRST)) << 2)
    for (; count > 0; count--, word += step << 2) {
      const id = load<u32>(word)
      // A parameter that is void is how `...` is written.
      if (role !== TAKES || id !== 0) {
        const target: u32 =
          id >= firstId ? id - firstId + first : below === 0 ? id : load<u32>(below + ((<usize>id) << 2))
        const counter = counts + ((<usize>target) << 3)
        const at = load<u32>(counter, 4)
        if (at > begin) {
          const reference = references + ((<usize>(at - 1)) << 2)
          store<u32>(reference, load<u32>(reference) | role)
        } else {
          store<u32>(references + ((<usize>length) << 2), target | role)
          store<u32>(counter, load<u32>(counter) + 1)
          store<u32>(counter, ++length, 4)
        }
      }
      if (role === RETURNS) role = TAKES
    }
    store<u32>(ends + (ordinal << 2), length)
  }
  store<u32>(state, length, STATE_LENGTH)
}

/**
 * Sorts references by what they refer to: those of prototypes from the end of a type's users on downwards, all others from their start
 * on in order. `starts` has a word for each type and one more; counts are used up.
 */
export function turnRound(state: usize, types: u32, starts: usize, users: usize): void {
  const ends = <usize>load<u32>(state, STATE_ENDS)
  const counts = <usize>load<u32>(state, STATE_COUNTS)
  const references = <usize>load<u32>(state, STATE_REFERENCES)
  let sum: u32 = 0
  for (let i: usize = 0; i < <usize>types; i++) {
    const counter = counts + (i << 3)
    const count = load<u32>(counter)
    store<u32>(starts + (i << 2), sum)
    // From here on: where its next user goes, and behind where its next prototype does.
    store<u32>(counter, sum)
    sum += count
    store<u32>(counter, sum, 4)
  }
  store<u32>(starts + ((<usize>types) << 2), sum)
  let at: u32 = 0
  for (let source: u32 = 0; source < types; source++) {
    const end = load<u32>(ends + ((<usize>source) << 2))
    for (; at < end; at++) {
      const reference = load<u32>(references + ((<usize>at) << 2))
      const counter = counts + ((<usize>(reference & USER)) << 3)
      let place: u32
      if ((reference & ~USER) === 0) {
        place = load<u32>(counter)
        store<u32>(counter, place + 1)
      } else {
        place = load<u32>(counter, 4) - 1
        store<u32>(counter, place, 4)
      }
      store<u32>(users + ((<usize>place) << 2), source | (reference & ~USER))
    }
  }
}
