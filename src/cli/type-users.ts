// `kerndex type --users` and `--with-member`: who uses a type, and which types have a member.

import type { TypeUsers } from '../btf/ask/asked-types.ts'
import type { KernelFunction } from '../btf/ask/functions.ts'
import { type TypeUse, useInWords } from '../btf/ask/type-uses.ts'
import type { Types } from '../btf/types.ts'
import { UsageError } from '../core/errors.ts'
import { compileGlob } from '../core/glob.ts'
import { printable } from '../core/printable.ts'
import type { Kernel } from '../kernel.ts'
import { fitRows, write, writeJson } from './output.ts'
import { parseQuestion } from './types.ts'
import { nearType, whyNoMember, whyNoType } from './unknown.ts'
import { whereaboutsOf, whereaboutsText } from './whereabouts.ts'

/** Modules of a row that are named. */
const MOST_MODULES = 3

/** Prints who uses the type of a question; undefined, or why there is no answer. */
export async function printUsers(
  types: Types,
  query: string,
  json: boolean,
  kernel: Kernel | undefined,
): Promise<string | undefined> {
  const { module, name } = parseQuestion(query)
  if (!types.knows(name)) {
    const reason = whyNoType(types, module, name.replace(/^(?:struct|union|enum)\s+/, ''))
    if (json) await writeJson({ query, module: null, reason })
    return reason
  }
  const users = types.users(name, { module })
  const rowsOf = kernel === undefined ? undefined : whereaboutsOf(kernel, [...users.takes, ...users.returns])
  if (json) {
    const functions = (all: readonly KernelFunction[]) =>
      all.map((each) => ({
        name: each.name,
        module: each.module,
        id: each.id,
        prototype: each.prototype,
        ...(rowsOf !== undefined && { places: rowsOf(each) }),
      }))
    const { aliases, holds, points, calls, takes, returns } = users
    await writeJson({ query, aliases, holds, points, calls, takes: functions(takes), returns: functions(returns) })
    return undefined
  }
  const rows: string[] = [`/* ${printable(name)}: ${countsOf(users)} */\n`]
  for (const each of users.aliases) rows.push(`alias    typedef ${printable(each.name)}  [${printable(each.module)}]\n`)
  for (const way of ['holds', 'points', 'calls'] as const) {
    for (const each of users[way]) rows.push(`${way.padEnd(9)}${inWords(each)}\n`)
  }
  for (const way of ['takes', 'returns'] as const) {
    for (const each of users[way]) {
      rows.push(`${way.padEnd(9)}${each.prototype};  [${printable(each.module)}]\n`)
      if (rowsOf !== undefined) rows.push(whereaboutsText(rowsOf(each)))
    }
  }
  for (const row of rows) await write(fitRows(row))
  return undefined
}

/** Prints the members that NAME or NAME:TYPE asks for, in types of these names. @throws UsageError */
export async function printMembers(
  types: Types,
  question: string,
  names: readonly string[],
  json: boolean,
): Promise<string | undefined> {
  const colon = question.indexOf(':')
  const name = colon < 0 ? question : question.slice(0, colon)
  const type = colon < 0 ? undefined : question.slice(colon + 1).trim()
  if (name === '' || type === '')
    throw new UsageError('--with-member takes NAME or NAME:TYPE, such as skb:struct sk_buff *')
  const wanted = names.map((each) => {
    const { module, name: pattern } = parseQuestion(each)
    return { module, matches: compileGlob(pattern) }
  })
  const uses = types
    .withMember(name, { type })
    .filter(
      (use) =>
        wanted.length === 0 ||
        wanted.some(
          ({ module, matches }) => matches(use.name) && (module === undefined || use.modules.includes(module)),
        ),
    )
  for (const use of uses) await (json ? writeJson(use) : write(fitRows(`${inWords(use)}\n`)))
  return uses.length > 0
    ? undefined
    : type !== undefined && !types.knows(type)
      ? `there is no type ${type}${nearType(types, type)}`
      : whyNoMember(types, name)
}

function countsOf({ holds, points, calls, takes, returns }: TypeUsers): string {
  return `held ${holds.length}, pointed to ${points.length}, called with ${calls.length}, taken ${takes.length}, returned ${returns.length} times`
}

function inWords(use: TypeUse): string {
  const { kind, type, bitOffset, bits, modules } = use
  const place =
    kind === 'VAR' ? '' : `  offset ${Math.floor(bitOffset / 8)}${bits > 0 ? ` bits ${bitOffset % 8}+${bits}` : ''}`
  const more = modules.length - MOST_MODULES
  const where = modules.slice(0, MOST_MODULES).join(', ') + (more > 0 ? ` and ${more} more` : '')
  return `${useInWords(use)}${place}  ${type}  [${printable(where)}]`
}
