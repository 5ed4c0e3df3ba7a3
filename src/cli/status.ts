// `kerndex status`: loads and describes: a picture of the load, symbols and types by kind, the rate of bulk lookups.

import type { Command } from 'commander'
import { KerndexError } from '../core/errors.ts'
import { counted } from '../core/explain.ts'
import { printable } from '../core/printable.ts'
import type { Kernel } from '../kernel.ts'
import { colours } from './colours.ts'
import { interrupted } from './interrupt.ts'
import { type CommonOptions, withKernel, withKernelOptions } from './open.ts'
import { fitRows, note, write, writeJson } from './output.ts'
import { columnsOf } from './terminal.ts'
import { drawTimeline, withoutOverlap } from './timeline-picture.ts'

interface StatusOptions extends CommonOptions {
  readonly fallback?: string
}

/** Addresses in the sample bulk lookup. */
const SAMPLE = 1 << 20
/** As many of them as are looked up in so many milliseconds, but at least so many. */
const SAMPLE_MS = 100
const LEAST = 1 << 10
/** Rows of a list of owners before the rest is summed up. */
const MOST_ROWS = 12

export function addStatusCommand(program: Command): void {
  withKernelOptions(
    program
      .command('status')
      .description('load the kernel and describe what was found, how long it took and where the time went')
      .option('--fallback <capture>', 'use this capture if the running kernel cannot be read, and say so'),
  )
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 2 wrong usage, 3 the kernel's data cannot be read.

Examples:
  $ sudo kerndex status
  $ kerndex status --from capture/ --threads 0
  $ kerndex status --json | jq .symbols.byType`,
    )
    .action(async (options: StatusOptions) => {
      try {
        await withKernel(options, (kernel) => report(kernel, options))
      } catch (error) {
        const { fallback } = options
        const unreadable = error instanceof KerndexError && ['NO_PERMISSION', 'NOT_READABLE'].includes(error.code)
        if (fallback === undefined || options.from !== undefined || !unreadable) throw error
        note(`the running kernel cannot be read: ${error.message}`)
        note(`using the capture ${fallback} instead`)
        await withKernel({ ...options, from: fallback }, (kernel) => report(kernel, options))
      }
    })
}

async function report(kernel: Kernel, options: StatusOptions): Promise<void> {
  const facts = await gather(kernel)
  await (options.json ? writeJson(facts) : write(fitRows(inWords(kernel, facts), 2)))
}

type Facts = Awaited<ReturnType<typeof gather>>

async function gather(kernel: Kernel) {
  const { symbols, types, host, skipped, timing, generation } = kernel
  const sumOf = (work: string) => {
    const spans = timing.spans.filter((span) => span.work === work)
    const threads = new Set(spans.map(({ thread }) => thread))
    const busy = [...threads].flatMap((thread) => withoutOverlap(spans.filter((span) => span.thread === thread)))
    return busy.reduce((sum, { start, end }) => sum + end - start, 0)
  }
  const byKind: Record<string, number> = {}
  for (const set of types.sets) {
    for (const [kind, count] of Object.entries(set.countByKind())) {
      if (count > 0) byKind[kind] = (byKind[kind] ?? 0) + count
    }
  }
  const withBtf = new Set(types.sets.map(({ name }) => name))
  const modules = (host.modules ?? []).map(({ name }) => name)
  return {
    source: host.source,
    release: host.release ?? null,
    bootId: host.bootId ?? null,
    buildId: host.buildId ?? null,
    generation,
    symbols: {
      count: symbols.size,
      ...symbols.census(),
      bytesPerSymbol: symbols.size === 0 ? 0 : round(symbols.byteLength / symbols.size),
      skipped: skipped.count,
      skippedLines: skipped.lines.slice(0, 100),
    },
    types: { sets: types.sets.length, count: types.size, byKind },
    modules: {
      loaded: host.modules?.length ?? null,
      withBtf: modules.filter((name) => withBtf.has(name)).length,
      withoutBtf: modules.filter((name) => !withBtf.has(name)),
    },
    timing: {
      readMs: round(sumOf('read')),
      parseMs: round(sumOf('parse')),
      gatherMs: round(sumOf('gather')),
      mergeMs: round(sumOf('merge')),
      indexMs: round(sumOf('index')),
      readyMs: round(timing.readyMs),
      threads: timing.threads,
      spans: timing.spans.map((span) => ({ ...span, start: round(span.start), end: round(span.end) })),
    },
    lookups: await sampleRates(kernel),
    absences: host.absences,
    ...(host.placement !== undefined && { placement: host.placement }),
  }
}

/** Million lookups a second of random addresses, on this thread and through the pool; null for an empty table. */
async function sampleRates(kernel: Kernel): Promise<{ oneThread: number; pool: number } | null> {
  const { symbols } = kernel
  if (symbols.size === 0) return null
  const addresses = new BigUint64Array(new SharedArrayBuffer(SAMPLE * 8))
  let random = 1
  for (let i = 0; i < SAMPLE; i++) {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
    addresses[i] = symbols.addressOf(random % symbols.size) + BigInt(random & 7)
  }
  const rate = async (count: number, run: (some: BigUint64Array) => unknown) => {
    const some = addresses.subarray(0, count)
    await run(some)
    const start = performance.now()
    await run(some)
    return count / (performance.now() - start) / 1000
  }
  const here = (some: BigUint64Array) => symbols.findMany(some)
  // A table that was made up can have lookups that take a thousand times as long as those of a kernel.
  const count = Math.min(SAMPLE, Math.max(LEAST, Math.floor(SAMPLE_MS * 1000 * (await rate(LEAST, here)))))
  return {
    oneThread: round(await rate(count, here)),
    pool: round(await rate(count, (some) => kernel.findMany(some, { signal: interrupted }))),
  }
}

function inWords(kernel: Kernel, facts: Facts): string {
  const { symbols, types, modules, timing, lookups } = facts
  const number = (value: number) => value.toLocaleString('en-US')
  const lines: string[] = []
  const heading = (text: string) => lines.push('', colours.bold(text))
  lines.push(
    `${colours.bold(printable(facts.source))}  ${printable(facts.release ?? 'release unknown')}  generation ${facts.generation}`,
  )
  if (facts.buildId !== null) lines.push(colours.dim(`build id ${facts.buildId}`))

  heading(
    `Ready in ${timing.readyMs} ms with ${timing.threads === 0 ? 'no threads' : counted(timing.threads, 'thread')}`,
  )
  const width = Math.max(10, Math.min(100, (columnsOf('stdout') ?? 100) - 32))
  lines.push(drawTimeline(kernel.timing.spans, timing.readyMs, width).trimEnd())

  heading(`${counted(symbols.count, 'symbol')}, ${symbols.bytesPerSymbol} bytes each`)
  lines.push(
    ...wrapped(
      '  by type   ',
      Object.entries(symbols.byType).map(([type, n]) => `${type} ${number(n)}`),
    ),
  )
  const owners = Object.entries(symbols.byOwner).sort((a, b) => b[1] - a[1])
  for (const [owner, count] of owners.slice(0, MOST_ROWS)) lines.push(`  ${number(count).padStart(9)}  ${owner}`)
  if (owners.length > MOST_ROWS) {
    const rest = owners.slice(MOST_ROWS).reduce((sum, [, count]) => sum + count, 0)
    lines.push(`  ${number(rest).padStart(9)}  in ${counted(owners.length - MOST_ROWS, 'other owner')}`)
  }
  lines.push(`  ${counted(symbols.aliases, 'alias', 'aliases')}, ${counted(symbols.repeatedNames, 'repeated name')}`)
  if (symbols.skipped > 0) {
    const where = symbols.skippedLines.slice(0, 8).map(({ line, reason }) => `${line} (${reason})`)
    lines.push(colours.yellow(`  ${counted(symbols.skipped, 'bad line')} skipped: ${where.join(', ')}`))
  }

  heading(`${counted(types.count, 'type')} in ${counted(types.sets, 'set')}`)
  const kinds = Object.entries(types.byKind).sort((a, b) => b[1] - a[1])
  if (kinds.length > 0)
    lines.push(
      ...wrapped(
        '  ',
        kinds.map(([kind, n]) => `${kind} ${number(n)}`),
      ),
    )
  if (modules.loaded !== null) {
    const without = modules.withoutBtf.length
    const names = without === 0 ? '' : `: ${modules.withoutBtf.slice(0, 8).join(', ')}${without > 8 ? ', …' : ''}`
    lines.push(`  ${counted(modules.loaded, 'module')} loaded, ${modules.withBtf} with BTF, ${without} without${names}`)
  }

  if (lookups !== null) {
    heading('Random addresses looked up in bulk')
    const pool = timing.threads === 0 ? '' : `, ${lookups.pool} M/s on the pool`
    lines.push(`  ${lookups.oneThread} M/s on one thread${pool}`)
  }
  if (facts.placement !== undefined) {
    const { missing, byName, unplaced } = facts.placement
    heading('Placed by a catalogue')
    lines.push(`  ${missing.length} modules are not in it, ${byName.length} are known by name only`)
    lines.push(`  ${unplaced.length} symbols of modules have no address`)
    for (const { name, buildId, why } of missing.slice(0, MOST_ROWS))
      lines.push(`  ${name}  ${buildId ?? '-'}  (${why})`)
    if (missing.length > MOST_ROWS) lines.push(`  and ${missing.length - MOST_ROWS} more`)
  }
  if (facts.absences.length > 0) {
    heading('Not available')
    for (const { what, reason } of facts.absences.slice(0, MOST_ROWS)) lines.push(`  ${what}: ${reason}`)
    const more = facts.absences.length - MOST_ROWS
    if (more > 0) lines.push(`  and ${more} more`)
  }
  return `${lines.join('\n')}\n`
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

/** Items behind a heading, on as many lines as the terminal's width asks for: no number is cut in two. */
function wrapped(heading: string, items: readonly string[]): string[] {
  const width = columnsOf('stdout') ?? Number.POSITIVE_INFINITY
  const lines: string[] = []
  let line = heading
  for (const item of items) {
    const grown = line.trimEnd() === heading.trimEnd() ? line + item : `${line}   ${item}`
    if (grown.length > width && line !== heading) {
      lines.push(line)
      line = `${' '.repeat(heading.length)}${item}`
    } else line = grown
  }
  return [...lines, line]
}
