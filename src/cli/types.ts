// Shared by the commands about types: opening types, and turning a question into a module and a name.

import type { Types } from '../btf/types.ts'
import { openTypes } from '../load/open-types.ts'
import { interrupted } from './interrupt.ts'
import type { CommonOptions } from './open.ts'
import { note } from './output.ts'

/** Opens the types that the options name; says on stderr what could not be read. */
export async function typesOf(options: CommonOptions, modules?: readonly string[]): Promise<Types> {
  const { from, threads } = options
  const { types, absences } = await openTypes({ from, threads, modules, signal: interrupted })
  for (const { what, reason } of absences) note(`${what}: ${reason}`)
  return types
}

/** A question with the module it is restricted to: `module:name`. */
export interface Question {
  readonly module?: string
  readonly name: string
}

export function parseQuestion(text: string): Question {
  const colon = text.indexOf(':')
  return colon < 0 ? { name: text } : { module: text.slice(0, colon), name: text.slice(colon + 1) }
}

/** The modules that questions name, if each of them names one: then no other has to be read. */
export function modulesAsked(questions: readonly string[]): readonly string[] | undefined {
  if (questions.length === 0) return undefined
  const modules = questions.map((each) => parseQuestion(each).module)
  return modules.every((each) => each !== undefined && !/[*?[]/.test(each))
    ? [...new Set(modules as string[])].filter((each) => each !== 'vmlinux')
    : undefined
}
