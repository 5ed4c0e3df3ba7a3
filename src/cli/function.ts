// `kerndex function NAME|GLOB…`: prototypes of functions, by name or by the types that they take and return.

import type { Command } from 'commander'
import type { KernelFunction } from '../btf/ask/functions.ts'
import type { Types } from '../btf/types.ts'
import { printable } from '../core/printable.ts'
import type { Kernel } from '../kernel.ts'
import { askedInWords, asksByType, type TypeOptions, unknownType, withTypeOptions } from './by-type.ts'
import { asked } from './input.ts'
import { type CommonOptions, withCommonOptions, withKernel } from './open.ts'
import { fitRows, write, writeJson } from './output.ts'
import { modulesAsked, parseQuestion, typesOf } from './types.ts'
import { Unanswered } from './unanswered.ts'
import { whyNoFunction } from './unknown.ts'
import { whereaboutsOf, whereaboutsText } from './whereabouts.ts'

interface FunctionOptions extends CommonOptions, TypeOptions {
  readonly params?: boolean
  readonly verbose?: boolean
}

export function addFunctionCommand(program: Command): void {
  const command = program
    .command('function')
    .argument(
      '[name...]',
      'names or globs, with or without MODULE: in front; without any, lines of stdin, or every function of the types asked for',
    )
    .description('prototypes of functions, with their modules: by name, or by the types that they take and return')
    .option('--params', 'list every parameter on a line of its own')
    .option('-v, --verbose', 'also where each function is, whose it is, and whether it can be probed')
  withCommonOptions(withTypeOptions(command))
    .addHelpText(
      'after',
      `
A glob knows *, ? and […] and must match the whole name. Every function of that name is given, vmlinux first.

Types are written as in C. They are found through typedefs and qualifiers: 'struct file *' finds const struct file * too.
A typedef of a number means those that are declared by it: gfp_t is not every unsigned int.

Exit codes: 0 all found, 1 some name has no function, 2 wrong usage, 3 the kernel's data cannot be read.

Examples:
  $ kerndex function vfs_read
  $ kerndex function 'virtio_pci:vp_*' --params
  $ kerndex function --takes 'struct virtqueue *' --returns bool
  $ kerndex function --takes 'struct inode *' --as 2 'v9fs_*' -v
  $ kerndex function 'tcp_v4_*' --json`,
    )
    .action(async (args: string[], options: FunctionOptions) => {
      const byType = asksByType(options)
      const names = byType && args.length === 0 ? ['*'] : args
      if (options.verbose) {
        process.exitCode = await withKernel({ ...options, types: true, probes: true }, (kernel) =>
          answer(names, kernel.types, options, kernel),
        )
      } else {
        const types = await typesOf(options, byType ? undefined : modulesAsked(args))
        process.exitCode = await answer(names, types, options)
      }
    })
}

/** Prints what is asked for and gives the exit code. `kernel` tells where the functions are, where that is wanted. */
async function answer(
  names: readonly string[],
  types: Types,
  options: FunctionOptions,
  kernel?: Kernel,
): Promise<number> {
  const { takes, as, returns } = options
  const byType = asksByType(options)
  const unanswered = new Unanswered('no function', ['name', 'names'])
  const unknown = byType ? unknownType(types, options) : undefined
  for await (const query of asked(names)) {
    const { module, name } = parseQuestion(query)
    const found = types.functions(byType ? { takes, as, returns, name, module } : { name, module })
    if (await print(found, options, kernel)) unanswered.answered()
    else {
      const why = unknown ?? whyNone(types, query, options)
      if (options.json) await writeJson({ query, module: null, reason: why ?? 'no such function' })
      unanswered.missed(byType && query === '*' ? `what ${askedInWords(options)}` : query, why)
    }
  }
  return unanswered.conclude()
}

/** Why nothing was found for a name; undefined where that is plain. */
function whyNone(types: Types, query: string, options: FunctionOptions): string | undefined {
  const { module, name } = parseQuestion(query)
  if (!asksByType(options)) return whyNoFunction(types, module, name)
  return query === '*' ? undefined : `none ${askedInWords(options)}`
}

/** Prints functions; whether there are any. */
async function print(
  functions: Iterable<KernelFunction>,
  options: FunctionOptions,
  kernel: Kernel | undefined,
): Promise<boolean> {
  let any = false
  const all = kernel === undefined ? functions : [...functions]
  const rowsOf = kernel === undefined ? undefined : whereaboutsOf(kernel, [...all])
  for (const each of all) {
    any = true
    const rows = rowsOf?.(each)
    if (options.json) await writeJson(rows === undefined ? each : { ...each.toJSON(), places: rows })
    else {
      await write(fitRows(`${each.prototype};  [${printable(each.module)}]\n`))
      if (options.params) for (const { name, type } of each.params) await write(`    ${type} ${printable(name)}\n`)
      if (rows !== undefined) await write(whereaboutsText(rows))
    }
  }
  return any
}
