// `kerndex core OBJECT…`: which CO-RE relocations of BPF objects would fail on a kernel, and why.

import type { Command } from 'commander'
import { type CheckedRelocation, checkObject } from '../btf/relocate/check-object.ts'
import { readWhole } from '../sources/btf-file.ts'
import { interrupted } from './interrupt.ts'
import { type CommonOptions, withCommonOptions } from './open.ts'
import { note, write, writeJson } from './output.ts'
import { typesOf } from './types.ts'
import { Unanswered } from './unanswered.ts'

interface CoreOptions extends CommonOptions {
  readonly all?: boolean
}

export function addCoreCommand(program: Command): void {
  withCommonOptions(
    program
      .command('core')
      .argument('<object...>', 'BPF object files')
      .option('--all', 'also print the relocations that succeed')
      .description('which CO-RE relocations of BPF objects fail on this kernel, and why'),
  )
    .addHelpText(
      'after',
      `
ok: the relocation has a value. poisoned: the kernel has nothing that fits, and the program loads only if it never reaches
the instruction. failed: the whole program is refused. With --json every relocation is printed.

Exit codes: 0 all relocations are ok, 1 some are not, 2 wrong usage, 3 a file or the kernel's data cannot be read.

Examples:
  $ kerndex core probe.bpf.o
  $ kerndex core probe.bpf.o --from capture/ --json`,
    )
    .action(async (objects: string[], options: CoreOptions) => {
      const types = await typesOf(options)
      const failing = new Unanswered('relocations are not ok', ['object', 'objects'])
      for (const object of objects) {
        const checked = checkObject(await readWhole(object, interrupted), types)
        const bad = checked.filter(({ result }) => result.status !== 'ok').length
        if (bad > 0) failing.missed(object, `${bad} of ${checked.length}`)
        else failing.answered()
        for (const each of checked) {
          if (options.json) await writeJson(asJson(object, each))
          else if (options.all || each.result.status !== 'ok') await write(asText(object, each))
        }
        if (!options.json && bad === 0) note(`${object}: ${checked.length} relocations, all ok`)
      }
      process.exitCode = failing.conclude()
    })
}

function asJson(object: string, { section, instructionOffset, kind, typeId, access, result }: CheckedRelocation) {
  const { status, value, localValue, candidates, matching, widthDiffers, reason } = result
  return {
    object,
    section,
    instructionOffset,
    kind,
    typeId,
    accessString: access,
    access: result.access,
    status,
    value: value === undefined ? null : String(value),
    localValue: localValue === undefined ? null : String(localValue),
    candidates,
    matching,
    widthDiffers,
    reason: reason ?? null,
  }
}

function asText(object: string, { section, instructionOffset, kind, result }: CheckedRelocation): string {
  const outcome = result.status === 'ok' ? `ok, ${result.value}` : `${result.status}: ${result.reason}`
  return `${object}: ${section}+${instructionOffset}: ${kind} ${result.access}: ${outcome}\n`
}
