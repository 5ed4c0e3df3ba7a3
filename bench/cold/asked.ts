// A cold process that asks by type: which functions take a type, as the first such question, again, and of other types after it.

import { answer, coldTask } from '../lib/cold.ts'

export interface ColdAsked {
  readonly from: string | undefined
}

/** Milliseconds, by the question; and how many functions there are. */
export type ColdAskedResult = Readonly<Record<string, { readonly ms: number; readonly functions: number }>>

/** In the order in which they are asked; the first makes the index. */
const QUESTIONS: readonly (readonly [what: string, type: string])[] = [
  ['functions that take struct sk_buff *, first question, cold', 'struct sk_buff *'],
  ['functions that take struct sk_buff *, again', 'struct sk_buff *'],
  ['functions that take struct file *, after it', 'struct file *'],
  ['functions that take void *, after these', 'void *'],
]

const { from } = coldTask<ColdAsked>()
const { openTypes } = await import('../../src/index.ts')
const { types } = await openTypes({ from, threads: 0 })
const result: Record<string, { ms: number; functions: number }> = {}
for (const [what, takes] of QUESTIONS) {
  const start = performance.now()
  const functions = [...types.functions({ takes })].length
  result[what] = { ms: performance.now() - start, functions }
}
answer<ColdAskedResult>(result)
