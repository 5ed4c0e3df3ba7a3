// The uses of a type, as the page lists them: types that hold it or point to it, and functions that take or return it.

import type { KernelFunction } from '../btf/ask/functions.ts'
import type { TypeUse } from '../btf/ask/type-uses.ts'
import type { Types } from '../btf/types.ts'
import type { FunctionList, UseList, UsersAnswer } from './answers.ts'

/** Rows of one list that are sent: some types are used by tens of thousands. */
const MOST_ROWS = 500

/** @throws NotFoundError */
export function usersAnswer(types: Types, module: string, id: number): UsersAnswer {
  const { aliases, holds, points, calls, takes, returns } = types.users({ module, id })
  return {
    aliases: [...new Set(aliases.map(({ name }) => name))],
    ...{ holds: uses(holds), points: uses(points), calls: uses(calls) },
    ...{ takes: functions(takes), returns: functions(returns) },
  }
}

function uses(list: readonly TypeUse[]): UseList {
  const rows = list.slice(0, MOST_ROWS).map(({ kind, name, member, type, bitOffset, module, id, modules }) => {
    return { kind, name, member, type, offset: Math.floor(bitOffset / 8), module, id, modules }
  })
  return { count: list.length, rows }
}

function functions(list: readonly KernelFunction[]): FunctionList {
  const rows = list.slice(0, MOST_ROWS).map(({ name, module, prototype }) => ({ name, module, prototype }))
  return { count: list.length, rows }
}
