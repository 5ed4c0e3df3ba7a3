// `kerndex function NAME|GLOB…`: prototypes of functions.

import type { Command } from 'commander'
import { printable } from '../core/printable.ts'
import { asked } from './input.ts'
import { type CommonOptions, withCommonOptions } from './open.ts'
import { write, writeJson } from './output.ts'
import { modulesAsked, parseQuestion, typesOf } from './types.ts'
import { Unanswered } from './unanswered.ts'

interface FunctionOptions extends CommonOptions {
  readonly params?: boolean
}

export function addFunctionCommand(program: Command): void {
  withCommonOptions(
    program
      .command('function')
      .argument('[name...]', 'names or globs, with or without MODULE: in front; without any, lines of stdin')
      .description('prototypes of functions, with their modules')
      .option('--params', 'list every parameter on a line of its own'),
  )
    .addHelpText(
      'after',
      `
A glob knows *, ? and […] and must match the whole name. Every function of that name is given, vmlinux first.

Exit codes: 0 all found, 1 some name has no function, 2 wrong usage, 3 the kernel's data cannot be read.

Examples:
  $ kerndex function vfs_read
  $ kerndex function 'nf_tables:nft_trans_*' --params
  $ kerndex function 'tcp_*' --json`,
    )
    .action(async (args: string[], options: FunctionOptions) => {
      const types = await typesOf(options, modulesAsked(args))
      const unanswered = new Unanswered('no function', 'names')
      for await (const query of asked(args)) {
        const { module, name } = parseQuestion(query)
        let any = false
        for (const each of types.functions(name, module === undefined ? {} : { module })) {
          any = true
          if (options.json) await writeJson(each)
          else {
            await write(`${each.prototype};  [${printable(each.module)}]\n`)
            if (options.params)
              for (const { name, type } of each.params) await write(`    ${type} ${printable(name)}\n`)
          }
        }
        if (any) unanswered.answered()
        else unanswered.missed(query)
      }
      process.exitCode = unanswered.conclude()
    })
}
