// `kerndex cache list` and `kerndex cache clear`: the snapshots that earlier runs left.

import type { Command } from 'commander'
import { type CacheEntry, openCache } from '../snapshot/cache.ts'
import { fitRows, write, writeJson } from './output.ts'
import { Unanswered } from './unanswered.ts'

interface CacheCommandOptions {
  readonly directory?: string
  readonly json?: boolean
}

export function addCacheCommand(program: Command): void {
  const cache = program.command('cache').description('the snapshots that earlier runs left: list or clear them')
  withOptions(cache.command('list').description('the files of the cache, the last used first'))
    .addHelpText(
      'after',
      `
The cache is $XDG_CACHE_HOME/kerndex or ~/.cache/kerndex. Its files hold kernel addresses: they are used only where nobody
but you can have written or can read them.

Exit codes: 0 all can be used, 1 some cannot, 2 wrong usage, 3 there can be no cache.

Examples:
  $ kerndex cache list
  $ kerndex cache list --json | jq -r 'select(.problem) | .path'`,
    )
    .action(async (options: CacheCommandOptions) => {
      const files = await openCache({ directory: options.directory })
      const entries = await files.list()
      if (options.json !== true && entries.length === 0) await write(`nothing in ${files.directory}\n`)
      const unusable = new Unanswered('no use', ['file', 'files'])
      for (const entry of entries) {
        await (options.json ? writeJson(entry) : write(fitRows(inWords(entry))))
        if (entry.problem === undefined) unusable.answered()
        else unusable.missed(entry.path, entry.problem)
      }
      process.exitCode = unusable.conclude()
    })
  withOptions(cache.command('clear').description('remove the files of the cache'))
    .addHelpText(
      'after',
      `
Only files of kerndex are removed.

Exit codes: 0 done, 2 wrong usage, 3 there can be no cache, or a file cannot be removed.

Examples:
  $ kerndex cache clear
  $ kerndex cache clear --directory /var/cache/tracer --json`,
    )
    .action(async (options: CacheCommandOptions) => {
      const files = await openCache({ directory: options.directory })
      const removed = await files.clear()
      if (options.json) for (const path of removed) await writeJson({ path })
      else await write(`${removed.length} ${removed.length === 1 ? 'file' : 'files'} removed from ${files.directory}\n`)
    })
}

function withOptions(command: Command): Command {
  return command
    .exitOverride()
    .option('--directory <dir>', 'the cache in this directory')
    .option('--json', 'one JSON object a line')
}

function inWords({ path, bytes, used, release, bootId, sets, problem }: CacheEntry): string {
  const size = `${(bytes / 2 ** 20).toFixed(1)} MiB`.padStart(11)
  const what = problem ?? `${release ?? 'unknown release'}  boot ${bootId.slice(0, 8)}  ${sets} sets of types`
  return `${used.toISOString().slice(0, 19)}Z ${size}  ${what}\n${' '.repeat(33)}${path}\n`
}
