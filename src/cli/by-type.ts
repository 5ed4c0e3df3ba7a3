// The options that ask for functions by the types of their prototype.

import { type Command, InvalidArgumentError } from 'commander'
import { parseTypeQuestion } from '../btf/ask/type-question.ts'
import type { Types } from '../btf/types.ts'
import { UsageError } from '../core/errors.ts'
import { nearType } from './unknown.ts'

/** The options as a question. */
export interface TypeOptions {
  readonly takes?: string | undefined
  readonly as?: number | undefined
  readonly returns?: string | undefined
}

/** Adds `--takes`, `--as` and `--returns` to a command. */
export function withTypeOptions(command: Command): Command {
  return command
    .option(
      '--takes <type>',
      "only functions that take this type, written as in C, such as 'struct sk_buff *'",
      readable,
    )
    .option('--as <n>', 'which parameter has to be of the type of --takes, from 1 on', parameterNumber)
    .option('--returns <type>', 'only functions that return this type; void for nothing', readable)
}

/** Whether anything is asked by type. @throws UsageError if a parameter is named, and no type for it */
export function asksByType({ takes, as, returns }: TypeOptions): boolean {
  if (as !== undefined && takes === undefined)
    throw new UsageError('--as needs --takes, which says the type of that parameter')
  return takes !== undefined || returns !== undefined
}

/** What is asked for, in words, as the end of a sentence. */
export function askedInWords({ takes, as, returns }: TypeOptions): string {
  const parts = [
    ...(takes === undefined ? [] : [`takes ${takes}${as === undefined ? '' : ` as parameter ${as}`}`]),
    ...(returns === undefined ? [] : [`returns ${returns}`]),
  ]
  return parts.join(' and ')
}

/** That the kernel does not have a type of the options, if that is so. */
export function unknownType(types: Types, { takes, returns }: TypeOptions): string | undefined {
  const unknown = [takes, returns].find((type) => type !== undefined && !types.knows(type))
  return unknown && `there is no type ${unknown}${nearType(types, unknown)}`
}

function readable(text: string): string {
  try {
    parseTypeQuestion(text)
  } catch (error) {
    throw new InvalidArgumentError(error instanceof UsageError ? error.message : String(error))
  }
  return text
}

function parameterNumber(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('parameters are counted from 1 on.')
  return Number(text)
}
