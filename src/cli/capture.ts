// `kerndex capture OUT`: the raw files of a host, for use elsewhere.

import { SingleBar } from 'cli-progress'
import type { Command } from 'commander'
import { type CaptureSummary, writeCapture } from '../load/capture.ts'
import { interrupted } from './interrupt.ts'
import { note, write, writeJson } from './output.ts'
import { isTerminal } from './terminal.ts'

interface CaptureCommandOptions {
  readonly from?: string
  readonly force?: boolean
  readonly json?: boolean
}

export function addCaptureCommand(program: Command): void {
  program
    .command('capture')
    .argument('<out>', 'a directory, or an archive if the name ends in .tar.gz')
    .description("write the running kernel's raw files, for use with --from elsewhere")
    .option('--from <path>', 'write another capture anew instead, such as a directory as an archive')
    .option('--force', 'replace a capture that is there')
    .option('--json', 'one JSON object a file')
    .addHelpText(
      'after',
      `
Writes kallsyms, BTF, modules and their sections, notes, version and what plans of probes need. The capture holds kernel
addresses: only you may read it. It is written beside the old one, which is replaced when the new one is whole.

Exit codes: 0 written, 2 wrong usage, or something is there already, 3 the kernel's data cannot be read or written.

Examples:
  $ sudo kerndex capture host/
  $ sudo kerndex capture host.tar.gz --force
  $ kerndex symbol vfs_read --from host.tar.gz`,
    )
    .action(async (out: string, options: CaptureCommandOptions) => {
      const bar = isTerminal('stderr') ? progressBar() : undefined
      let summary: CaptureSummary
      try {
        summary = await writeCapture(withoutSlashes(out), {
          from: options.from,
          replace: options.force,
          signal: interrupted,
          onFile: bar?.update,
        })
      } finally {
        bar?.stop()
      }
      const { path, files, absences, unsettled } = summary
      for (const { what, reason } of absences) note(`${what}: ${reason}`)
      if (unsettled) note('modules came or went meanwhile: the files may be of several moments')
      if (options.json) {
        for (const file of files) await writeJson(file)
        return
      }
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
      await write(`${path}: ${files.length} files, ${(bytes / 2 ** 20).toFixed(1)} MiB\n`)
    })
}

function progressBar() {
  const bar = new SingleBar({
    format: 'reading {bar} {value}/{total} files | {name}',
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
  })
  let started = false
  return {
    update(name: string, done: number, expected: number) {
      if (!started) bar.start(expected, 0, { name })
      started = true
      bar.update(done, { name })
    },
    stop: () => bar.stop(),
  }
}

/** A path without the slashes at its end. */
function withoutSlashes(path: string): string {
  let end = path.length
  while (end > 1 && path[end - 1] === '/') end--
  return path.slice(0, end)
}
