// BPF programs that do nothing, loaded and attached by the small program in C.
import { spawnSync } from 'node:child_process'
import { getSystemErrorName } from 'node:util'
import type { AttemptTruth } from '../probe-truth.ts'

/** A FUNC to load a program for. */
export interface ProgramAttempt {
  readonly kind: 'fentry' | 'fexit' | 'fmod_ret'
  /** The type set, and the FUNC's id in it. */
  readonly module: string
  readonly id: number
  readonly attach: boolean
}

const PROGRAM = 'attach'

/** What the kernel says to each, in order. */
export function attachPrograms(
  attempts: readonly ProgramAttempt[],
): Pick<AttemptTruth, 'refused' | 'said' | 'enabling'>[] {
  if (attempts.length === 0) return []
  const input = attempts.map(({ kind, module, id, attach }) => `${kind} ${module} ${id} ${attach ? 1 : 0}\n`).join('')
  const { status, stdout, stderr, error } = spawnSync(PROGRAM, { input, encoding: 'latin1', maxBuffer: 1 << 28 })
  if (status !== 0) throw new Error(`${PROGRAM} ended with ${status}: ${error ?? stderr}`)
  const answers = stdout.trimEnd().split('\n')
  if (answers.length !== attempts.length) throw new Error(`${PROGRAM} answered ${answers.length} of ${attempts.length}`)
  return answers.map((answer) => {
    const [, , , loading, attaching, ...said] = answer.split(' ')
    const enabling = attaching === '-1' ? {} : { enabling: errorName(Number(attaching)) }
    return { refused: errorName(Number(loading)), said: said.join(' '), ...enabling }
  })
}

function errorName(number: number): string {
  return number === 0 ? '' : number === 524 ? 'ENOTSUPP' : getSystemErrorName(-number)
}
