// `kerndex layout FILE`: where this host has its kernel and modules, to be used with a catalogue elsewhere.

import type { Command } from 'commander'
import { printable } from '../core/printable.ts'
import { writeLayout } from '../load/layout-file.ts'
import { interrupted } from './interrupt.ts'
import { note, write, writeJson } from './output.ts'

interface LayoutCommandOptions {
  readonly from?: string
  readonly force?: boolean
  readonly json?: boolean
}

export function addLayoutCommand(program: Command): void {
  program
    .command('layout')
    .argument('<file>', 'the file to write')
    .description('write where this host has its kernel and modules: with a catalogue, that is its table')
    .option('--from <path>', 'a capture, snapshot file, perf.data or pprof profile instead of the running kernel')
    .option('--force', 'replace a file that is there')
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      `
A few dozen kilobytes: the kernel's build id and address, each module's identity and sections, and the symbols of what the
kernel made as it ran (bpf programs, ftrace trampolines, kprobe slots). It tells the kernel's slide: only you may read it.
A perf.data file tells the build ids of the kernel and of modules that samples hit, and where all of them were when the recording
began; a pprof profile what its mappings tell.

Exit codes: 0 written, 2 wrong usage, or a file is there already, 3 the kernel's data cannot be read or written.

Examples:
  $ sudo kerndex layout host.layout
  $ kerndex layout host.layout --from capture/ --force
  $ kerndex layout host.layout --from perf.data
  $ kerndex resolve perf.txt --from host.layout --catalog /srv/kernels`,
    )
    .action(async (file: string, options: LayoutCommandOptions) => {
      const { path, bytes, layout, absences } = await writeLayout(file, {
        from: options.from,
        replace: options.force,
        signal: interrupted,
      })
      const { buildId, bootId, release, modules, dynamic, taken } = layout
      const without = modules.filter(({ sections }) => sections === undefined).length
      for (const { what, reason } of absences) note(`${what}: ${reason}`)
      if (options.json) {
        const ids = { release: release ?? null, buildId, bootId: bootId ?? null }
        await writeJson({
          path,
          bytes,
          ...ids,
          modules: modules.length,
          withoutSections: without,
          dynamic: dynamic.length,
          taken,
        })
        return
      }
      const sections = without === 0 ? '' : ` (${without} without sections)`
      await write(
        `${printable(path)}: ${release ?? 'unknown release'}, ${modules.length} modules${sections}, ${bytes} bytes\n`,
      )
    })
}
