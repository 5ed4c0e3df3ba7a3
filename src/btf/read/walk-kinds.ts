// The table of kinds that the compiled walk works by, written from the rows of kinds.

import { KIND_COUNT, KINDS, type KindLayout, trailingWords } from '../kinds.ts'
import {
  KIND_ELEMENT,
  KIND_ELEMENT_NAME,
  KIND_ELEMENT_TYPE,
  KIND_FIXED,
  KIND_FIXED_TYPES,
  KIND_SLOT,
  KIND_THIRD_TYPE,
  MOST_KINDS,
  NO_SIZE,
} from './walk-constants.ts'

/** Writes the table for blobs with a layout section or without. */
export function writeKinds(table: Uint8Array, layout: KindLayout | undefined): void {
  for (let kind = 0; kind < MOST_KINDS; kind++) {
    const words = trailingWords(kind, layout)
    const row = kind < KIND_COUNT ? KINDS[kind] : undefined
    const type = row?.elements?.type
    table[KIND_FIXED + kind] = words?.fixed ?? NO_SIZE
    table[KIND_ELEMENT + kind] = words?.element ?? 0
    table[KIND_ELEMENT_TYPE + kind] = type === undefined ? 0 : type + 1
    table[KIND_ELEMENT_NAME + kind] = row?.elements?.named === true ? 1 : 0
    table[KIND_THIRD_TYPE + kind] = row?.refersToType === true ? 1 : 0
    table[KIND_FIXED_TYPES + kind] = row?.fixedTypes ?? 0
    table[KIND_SLOT + kind] = Math.min(kind, KIND_COUNT)
  }
}
