// `kerndex type NAME|PATH…`: a type with its members, or where a member lies.

import type { Command } from 'commander'
import { KernelFunction } from '../btf/ask/functions.ts'
import { type LaidOutMember, layoutOf } from '../btf/ask/layout.ts'
import type { MemberPlace } from '../btf/ask/member-path.ts'
import { plainKindName } from '../btf/kinds.ts'
import { plainDeclarations } from '../btf/print/c-declare.ts'
import { printLayout } from '../btf/print/layout.ts'
import { alignOf, sizeOf } from '../btf/read/sizes.ts'
import type { TypeCandidate } from '../btf/read/type.ts'
import { decodeType, isEnumType } from '../btf/read/type.ts'
import type { TypeSet } from '../btf/read/type-set.ts'
import type { Types } from '../btf/types.ts'
import { KerndexError, UsageError } from '../core/errors.ts'
import { printable } from '../core/printable.ts'
import type { Kernel } from '../kernel.ts'
import { asked } from './input.ts'
import { type CommonOptions, withCommonOptions, withKernel } from './open.ts'
import { fitRows, write, writeJson } from './output.ts'
import { columnsOf } from './terminal.ts'
import { printMembers, printUsers } from './type-users.ts'
import { modulesAsked, parseQuestion, typesOf } from './types.ts'
import { Unanswered } from './unanswered.ts'
import { whyNoType } from './unknown.ts'
import { type Whereabouts, whereaboutsOf, whereaboutsText } from './whereabouts.ts'

interface TypeOptions extends CommonOptions {
  readonly users?: boolean
  readonly withMember?: string
  readonly verbose?: boolean
}

export function addTypeCommand(program: Command): void {
  withCommonOptions(
    program
      .command('type')
      .argument('[query...]', 'names or member paths, with or without MODULE: in front; without any, lines of stdin')
      .description('a type with its layout, the place of a member, who uses a type, or which types have a member')
      .option(
        '--users',
        'who uses the types: what holds, points to or calls with them, which functions take or return them',
      )
      .option('--with-member <name[:type]>', 'every struct and union with such a member; names are globs for those')
      .option('-v, --verbose', 'also where functions are, whose they are, and whether they can be probed'),
  )
    .addHelpText(
      'after',
      `
A name gives every type of that name, vmlinux first; struct, union or enum in front picks one kind. A path goes through
members, array indexes and pointers: offsets count from what the last pointer leads to, and the offsets of the pointers on
the way are given too. A module in front restricts the answer to it, and only its types are read.

Exit codes: 0 all found, 1 something was not found, 2 wrong usage, 3 the kernel's data cannot be read.

Examples:
  $ kerndex type task_struct
  $ kerndex type task_struct.mm.pgd 'sk_buff.cb[3]'
  $ kerndex type virtio_pci:virtio_pci_device --json
  $ kerndex type 'struct virtqueue' --users
  $ kerndex type --with-member 'vq:struct virtqueue *' 'virtio*'
  $ kerndex type vfs_read -v`,
    )
    .action(async (words: string[], options: TypeOptions) => {
      const args = wholeTypes(words)
      const { users, withMember, verbose } = options
      if (users === true && withMember !== undefined)
        throw new UsageError('--users and --with-member are two questions')
      if (verbose) {
        process.exitCode = await withKernel({ ...options, types: true, probes: true }, (kernel) =>
          answer(args, kernel.types, options, kernel),
        )
      } else {
        const overAll = users === true || withMember !== undefined
        const types = await typesOf(options, overAll ? undefined : modulesAsked(args))
        process.exitCode = await answer(args, types, options)
      }
    })
}

/** Without quotes, `struct task_struct` comes as two words, and is one question. */
function wholeTypes(words: readonly string[]): string[] {
  const types: string[] = []
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!.trim()
    if (word !== 'struct' && word !== 'union' && word !== 'enum') types.push(words[i]!)
    else if (i + 1 < words.length) types.push(`${word} ${words[++i]}`)
    else throw new UsageError(`a name is missing behind ${word}, as in struct task_struct`)
  }
  return types
}

/** Prints what is asked for and gives the exit code. `kernel` tells where functions are, where that is wanted. */
async function answer(args: readonly string[], types: Types, options: TypeOptions, kernel?: Kernel): Promise<number> {
  const { users, withMember, json = false } = options
  const unanswered = new Unanswered('no answer', ['question', 'questions'])
  const tell = (query: string, why: string | undefined) =>
    why === undefined ? unanswered.answered() : unanswered.missed(query, why)
  if (withMember !== undefined) tell(withMember, await printMembers(types, withMember, args, json))
  else {
    for await (const query of asked(args)) {
      if (users) tell(query, await printUsers(types, query, json, kernel))
      else if (/[.[]|->/.test(query)) tell(query, await member(types, query, options))
      else tell(query, await named(types, query, options, kernel))
    }
  }
  return unanswered.conclude()
}

/** Prints where a member lies; undefined, or why there is no answer. */
async function member(types: Types, query: string, options: CommonOptions): Promise<string | undefined> {
  const { module, name } = parseQuestion(query)
  let place: MemberPlace
  try {
    place = types.requireMember(name, { module })
  } catch (error) {
    if (!(error instanceof KerndexError) || !NO_ANSWER.has(error.code)) throw error
    if (options.json) await writeJson({ query, module: null, reason: error.message })
    return error.message
  }
  const { offset, bitOffset, bits, size, type, through } = place
  if (options.json) await writeJson({ query, module: place.module, offset, bitOffset, bits, size, type, through })
  else {
    const pointers = through.length > 0 ? `  through pointers at ${through.join(', ')}` : ''
    const width = bits > 0 ? `  bits ${bitOffset - 8 * offset}+${bits}` : ''
    const where = `offset ${offset}${width}  size ${size}`
    await write(fitRows(`${printable(name)}  ${where}  ${type}  [${printable(place.module)}]${pointers}\n`))
  }
  return undefined
}

const NO_ANSWER: ReadonlySet<string> = new Set(['NOT_FOUND', 'AMBIGUOUS', 'USAGE'])

/** Prints the types of a name; undefined, or why there is no answer. */
async function named(
  types: Types,
  query: string,
  options: CommonOptions,
  kernel: Kernel | undefined,
): Promise<string | undefined> {
  const { module, name } = parseQuestion(query)
  const [, keyword, bare] = /^(struct|union|enum)\s+(\S+)$/.exec(name.trim()) ?? [undefined, undefined, name.trim()]
  const candidates = types
    .find(bare!, { module })
    .filter(({ kind }) => keyword === undefined || kind.replace('64', '').toLowerCase() === keyword)
  const placesOf = (each: TypeCandidate) => (kernel === undefined ? undefined : places(kernel, each))
  if (options.json) {
    const rows = candidates.map((each) => {
      const found = placesOf(each)
      return { ...asJson(types, each), ...(found !== undefined && { places: found }) }
    })
    await writeJson({ query, candidates: rows })
  } else if (candidates.length === 0) await write(`${printable(query)}  -  (no such type)\n`)
  else {
    for (const each of candidates) {
      const found = placesOf(each)
      await write(asText(types, each) + (found === undefined ? '' : `${whereaboutsText(found)}\n`))
    }
  }
  return candidates.length > 0 ? undefined : whyNoType(types, module, bare!)
}

/** Where a function is; nothing for any other type. */
function places(kernel: Kernel, { kind, module, id }: TypeCandidate): Whereabouts[] | undefined {
  if (kind !== 'FUNC') return undefined
  const found = new KernelFunction(kernel.types.requireSet(module), id)
  return whereaboutsOf(kernel, [found])(found)
}

function asJson(types: Types, { module, id, kind, name }: TypeCandidate): Record<string, unknown> {
  const set = types.requireSet(module)
  const size = sizeOf(set, id)
  const common = { module, id, kind, name, ...(size !== undefined && { size, align: alignOf(set, id) ?? null }) }
  const type = decodeType(set, id)
  if (type.kind === 'STRUCT' || type.kind === 'UNION') {
    return { ...common, members: layoutOf(set, id).members.map((each) => memberAsJson(set, each)) }
  }
  if (isEnumType(type)) {
    // Values have 64 bits: as strings they survive any JSON reader.
    return { ...common, values: type.values.map((each) => ({ name: each.name, value: String(each.value) })) }
  }
  if (type.kind === 'FUNC') return { ...common, prototype: plainDeclarations(set).declare(type.type, name) }
  if (type.kind === 'TYPEDEF' || type.kind === 'VAR')
    return { ...common, type: plainDeclarations(set).declare(type.type, '') }
  return common
}

/** A member with those of the anonymous struct it may be, all offsets from the start of the outermost struct. */
function memberAsJson(set: TypeSet, member: LaidOutMember): Record<string, unknown> {
  const { name, type, offset, size, bitfield, nested } = member
  return {
    name,
    type: nested ? nested.kind.toLowerCase() : plainDeclarations(set).declare(type, '').replace(/\s+/g, ' '),
    offset,
    ...(bitfield && { bitOffset: bitfield.offset, bits: bitfield.bits }),
    size,
    ...(nested && { members: nested.members.map((each) => memberAsJson(set, each)) }),
  }
}

function asText(types: Types, { module, id, kind, name }: TypeCandidate): string {
  const set = types.requireSet(module)
  const declarations = plainDeclarations(set)
  const head = `/* ${printable(module)} [${id}] ${kind} */\n`
  switch (plainKindName(kind)) {
    case 'STRUCT':
    case 'UNION':
      return `${head}${printLayout(set, id, columnsOf('stdout'))}\n`
    case 'ENUM':
      return `${head}${declarations.enumDefinition(id, 0)};\n\n`
    case 'TYPEDEF':
      return `${head}${declarations.typedef(id)};\n\n`
    case 'FUNC':
    case 'VAR':
      return `${head}${declarations.declare(set.refOf(id), name)};\n\n`
    case 'FWD':
      return `${head}${declarations.forward(id)};\n\n`
    default: {
      const size = sizeOf(set, id)
      return `${head}${printable(name)}${size === undefined ? '' : `  size ${size}`}\n\n`
    }
  }
}
