// A cold process that reads the files of types plainly, opens the types once, and finds one name.

import { answer, coldTask } from '../lib/cold.ts'
import { plainRead } from '../lib/plain-read.ts'

export interface ColdTypes {
  readonly from: string | undefined
  /** What the plain read reads: the files that are opened too. */
  readonly files: readonly string[]
  readonly threads: number
  /** Whether only vmlinux is opened, without the modules. */
  readonly vmlinuxOnly: boolean
  readonly readFirst: boolean
}

export interface ColdTypesResult {
  readonly readMs: number
  /** From the call to the answer of the first lookup; the import comes before. */
  readonly loadMs: number
  readonly files: number
  /** Files that were listed and could not be used. */
  readonly absent: number
}

const { from, files, threads, vmlinuxOnly, readFirst } = coldTask<ColdTypes>()

function timedRead(): number {
  const start = performance.now()
  plainRead(files)
  return performance.now() - start
}

const before = readFirst ? timedRead() : undefined
const { openTypes } = await import('../../src/index.ts')
const start = performance.now()
const { types, absences } = await openTypes({ from, threads, ...(vmlinuxOnly && { modules: [] }) })
const found = types.find('task_struct').length
const loadMs = performance.now() - start
if (found === 0) throw new Error('task_struct was not found')
answer<ColdTypesResult>({ readMs: before ?? timedRead(), loadMs, files: files.length, absent: absences.length })
