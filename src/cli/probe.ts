// `kerndex probe list|plan|suffixes`: what can be attached, where, with which arguments, and why not.

import { type Command, Option } from 'commander'
import { formatAddress } from '../core/address.ts'
import { meant } from '../core/arguments.ts'
import { UsageError } from '../core/errors.ts'
import { printable } from '../core/printable.ts'
import type { Kernel } from '../kernel.ts'
import type { SuffixCensus } from '../probes/census.ts'
import type { ProbePlan } from '../probes/plan.ts'
import { CAUTIONS, type Caution, type Verdict } from '../probes/reasons.ts'
import { parseSpec } from '../probes/spec.ts'
import type { AmbiguityPolicy, ProbeTarget } from '../probes/target.ts'
import { asksByType, type TypeOptions, unknownType, withTypeOptions } from './by-type.ts'
import { colours } from './colours.ts'
import { EXIT } from './exit.ts'
import { asked } from './input.ts'
import { type CommonOptions, withKernel, withKernelOptions } from './open.ts'
import { fitRows, note, write, writeJson } from './output.ts'
import { partOf } from './unanswered.ts'
import { nearFunction } from './unknown.ts'

interface ListOptions extends CommonOptions, TypeOptions {
  readonly verbose?: boolean
  readonly allow?: string
  readonly looseSuffix?: boolean
}

interface PlanOptions extends ListOptions {
  readonly ambiguous: AmbiguityPolicy
  readonly args?: string
  readonly kprobeMulti?: boolean
  readonly rejected?: boolean
}

/** Targets up to which a plan tells everything of each of them. */
const MOST_IN_FULL = 8
/** Modules that a summary names. */
const MOST_NAMED = 12

const allowHelp = () =>
  `cautions that are left to the kernel, by code, separated by commas, or all: ${CAUTIONS.join(', ')}`

const SPEC_HELP = `
A specification is [KIND:][MODULE:]FUNCTION[+OFFSET], or an address. KIND is kprobe, kretprobe, fentry (kfunc), fexit
(kretfunc), fmod_ret, or entry and return for the best that there is. MODULE and FUNCTION may be globs (*, ?, […]);
vmlinux is the core kernel. With --takes or --returns only functions of such types are meant, by themselves all of them.

Exit codes: 0 all ok, 1 something cannot be attached or a fact is missing to tell, 2 wrong usage, 3 the kernel's data
cannot be read.
`

export function addProbeCommand(program: Command): void {
  const probe = program.command('probe').description('what can be attached, where, with which arguments, and why not')
  addList(probe)
  addPlan(probe)
  addSuffixes(probe)
  for (const command of probe.commands) command.exitOverride()
}

function addList(probe: Command): void {
  withKernelOptions(
    withTypeOptions(
      probe
        .command('list')
        .argument('[spec...]', 'specifications; without any, lines of stdin, or every function of the types asked for')
        .description('the functions that can be attached to, as kind:module:function')
        .option('-v, --verbose', 'each parameter on a line of its own, indented by four spaces')
        .option('--loose-suffix', 'accept foo.isra.0 and the like where there is no foo')
        .option('--allow <codes>', allowHelp()),
    ),
  )
    .addHelpText(
      'after',
      `${SPEC_HELP}
Examples:
  $ sudo kerndex probe list 'fentry:virtio_ring:virtqueue_*' -v
  $ kerndex probe list --takes 'struct virtqueue *' 'fentry:virtio*:*'
  $ kerndex probe list 'kprobe:*_read' --from capture/`,
    )
    .action((args: string[], options: ListOptions) =>
      withPlan(args, { ...options, ambiguous: 'all' }, async (plan) => {
        const seen = new Set<string>()
        for (const target of plan) {
          if (options.json) await writeJson(target)
          else {
            const line = nameOf(target)
            if (seen.has(line)) continue
            seen.add(line)
            await write(`${line}\n${options.verbose ? parameters(target) : ''}`)
          }
        }
        return undefined
      }),
    )
}

function addPlan(probe: Command): void {
  withKernelOptions(
    withTypeOptions(
      probe
        .command('plan')
        .argument('[spec...]', 'specifications; without any, lines of stdin, or every function of the types asked for')
        .description('verdict, reasons, addresses, arguments and how to attach')
        .addOption(
          new Option('--ambiguous <policy>', 'what to do with one name that is several functions')
            .choices(['error', 'all', 'first'])
            .default('error'),
        )
        .option('--loose-suffix', 'accept foo.isra.0 and the like where there is no foo')
        .option('--allow <codes>', allowHelp())
        .option('--args <names>', 'arguments that the probe uses, separated by commas: functions must agree about them')
        .option('--kprobe-multi', 'attach kprobes by one multi-link; prints its symbols and addresses')
        .option('--rejected', 'also what globs matched and cannot be attached to')
        .option('-v, --verbose', `everything of each target, even of more than ${MOST_IN_FULL}`),
    ),
  )
    .addHelpText(
      'after',
      `${SPEC_HELP}
Examples:
  $ sudo kerndex probe plan fentry:virtio_ring:virtqueue_add_sgs
  $ kerndex probe plan kprobe:vfs_read kprobe:vfs_write --args file --json --from capture/
  $ kerndex probe plan 'kprobe:vfs_*' --kprobe-multi --from capture/`,
    )
    .action((args: string[], options: PlanOptions) =>
      withPlan(args, options, (plan) =>
        options.kprobeMulti ? printMulti(plan, options.json === true) : printPlan(plan, options),
      ),
    )
}

/** Makes the plan that the options ask for, has `print` show it, and says what concerns more than one target. */
async function withPlan(
  args: readonly string[],
  options: PlanOptions,
  print: (plan: ProbePlan) => Promise<Told | undefined>,
): Promise<void> {
  const { looseSuffix, ambiguous, kprobeMulti: multi, takes, as, returns } = options
  const specs = await gather(args, asksByType(options))
  const allow = allowed(options.allow)
  const used = options.args?.split(',').filter(Boolean)
  process.exitCode = await withKernel({ ...options, types: 'lazy', probes: true }, async (kernel) => {
    const plan = kernel.probes.plan(specs, { looseSuffix, ambiguous, args: used, multi, allow, takes, as, returns })
    complain(plan, await print(plan))
    hint(kernel, plan, options)
    return exitOf(plan)
  })
}

function addSuffixes(probe: Command): void {
  withKernelOptions(
    probe
      .command('suffixes')
      .description('how many functions have which suffix of a compiler, with and without BTF of their base name'),
  )
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 2 wrong usage, 3 the kernel's data cannot be read.

Examples:
  $ sudo kerndex probe suffixes
  $ kerndex probe suffixes --from capture/ --json | jq .totals`,
    )
    .action(async (options: CommonOptions) => {
      process.exitCode = await withKernel({ ...options, types: 'lazy' }, async ({ probes }) => {
        const census = probes.suffixes()
        await (options.json ? writeJson(census) : write(censusTable(census)))
        return EXIT.ok
      })
    })
}

/** Cautions by their codes, separated by commas, or all of them. */
function allowed(codes: string | undefined): readonly Caution[] {
  if (codes === 'all') return CAUTIONS
  const wanted = codes?.split(',').filter(Boolean) ?? []
  return wanted.map((code) => {
    const caution = CAUTIONS.find((each) => each === code.toUpperCase())
    if (caution !== undefined) return caution
    throw new UsageError(`--allow: ${code} is no caution; there are ${CAUTIONS.join(', ')}, and all`)
  })
}

/** The specifications, or all functions where these are told by their types; wrong ones are told before a kernel is loaded. */
async function gather(args: readonly string[], byType: boolean): Promise<string[]> {
  const specs: string[] = []
  for await (const text of asked(byType && args.length === 0 ? ['entry:*'] : args)) {
    parseSpec(text)
    specs.push(text)
  }
  return specs
}

function nameOf(target: ProbeTarget): string {
  const offset = target.offset === 0 ? '' : `+0x${target.offset.toString(16)}`
  return `${target.kind}:${target.module ?? '*'}:${target.function}${offset}`
}

function parameters(target: ProbeTarget): string {
  return target.declaredArguments.map(({ declaration }) => `    ${declaration}\n`).join('')
}

/** How rows for people say why something is refused: in words, or where there are many by codes. */
type Told = 'in words' | 'by codes'

/** Prints rows, and says what they tell people. */
async function printPlan(plan: ProbePlan, options: PlanOptions): Promise<Told | undefined> {
  const shown = plan.specs.flatMap(({ targets, rejected }) => (options.rejected ? [...targets, ...rejected] : targets))
  const inFull = options.verbose === true || shown.length <= MOST_IN_FULL
  // Which of them can share a probe: rows of one group, where arguments are used.
  const groups = new Map(plan.groups.flatMap(({ signature, targets }) => targets.map((target) => [target, signature])))
  for (const target of shown) {
    if (options.json)
      await writeJson(options.args === undefined ? target : { ...target.toJSON(), group: groups.get(target) ?? null })
    else await write(inFull ? inWords(target) : `${heading(target)}\n`)
  }
  if (options.json) return undefined
  await write(fitRows(summary(plan)))
  return inFull ? 'in words' : 'by codes'
}

async function printMulti(plan: ProbePlan, json: boolean): Promise<undefined> {
  const { symbols, addresses, supported, leftOut } = plan.multi
  const hex = addresses.map(formatAddress)
  if (json) await writeJson({ symbols: symbols ?? null, addresses: hex, supported, leftOut })
  else for (const line of symbols ?? hex) await write(`${line}\n`)
  if (leftOut > 0)
    note(`${leftOut} targets are not in the list: a multi-link takes what ftrace surely can hook, at its entry`)
}

const COLOURS: Readonly<Record<Verdict, (text: string) => string>> = {
  ok: colours.green,
  unknown: colours.yellow,
  no: colours.red,
}

function heading(target: ProbeTarget): string {
  const { verdict, address, size, attach, reasons } = target
  const where = address === undefined ? '' : `  ${formatAddress(address)}/0x${(size ?? 0).toString(16)}`
  const how = attach === undefined ? reasons.map(({ code }) => code).join(' ') : attach.method
  return fitRows(`${COLOURS[verdict](verdict.padEnd(8))}${nameOf(target)}${where}  ${how}`)
}

function inWords(target: ProbeTarget): string {
  const { reasons, warnings, candidates, args, attach, prototype, probeAddress, address, btf } = target
  const lines = [heading(target)]
  const toCopy = (label: string, text: string) => lines.push(`        ${label.padEnd(14)}${text}`)
  const row = (label: string, text: string) => lines.push(fitRows(`        ${label.padEnd(14)}${text}`, 14))
  for (const { code, message, by } of reasons) {
    row(code === 'NOT_FOUND' ? 'not found' : 'why', `${message} (${code}, by ${by === 'kernel' ? 'the kernel' : by})`)
  }
  for (const { code, message } of warnings) row('note', `${message} (${code})`)
  for (const each of candidates) {
    row('perhaps', `${each.module}:${each.function}  ${formatAddress(each.address)}  arguments: ${each.trusted}`)
  }
  if (probeAddress !== undefined && probeAddress !== address) row('probe at', formatAddress(probeAddress))
  if (prototype !== undefined) row('prototype', `${prototype}  [BTF of ${btf?.module}]`)
  for (const [i, { name, type, location, trusted }] of args.entries()) {
    const doubt = trusted === 'yes' ? '' : `  (trusted: ${trusted})`
    row(i === 0 ? 'arguments' : '', `${(location ?? '-').padEnd(12)} ${printable(name)}: ${type}${doubt}`)
  }
  const unsafe = attach?.method === 'address' ? '  (with --unsafe)' : ''
  if (attach?.bpftrace !== undefined) toCopy('bpftrace', attach.bpftrace + unsafe)
  if (attach?.kprobeEvents !== undefined) toCopy('kprobe_events', attach.kprobeEvents)
  return `${lines.join('\n')}\n`
}

function summary(plan: ProbePlan): string {
  const counts: Record<Verdict, number> = { ok: 0, unknown: 0, no: 0 }
  const why = new Map<string, number>()
  for (const { targets, rejected } of plan.specs) {
    for (const { verdict } of targets) counts[verdict]++
    for (const { reasons } of rejected) for (const { code } of reasons) why.set(code, (why.get(code) ?? 0) + 1)
  }
  const rejected = plan.specs.reduce((sum, spec) => sum + spec.rejected.length, 0)
  const reasons = [...why].map(([code, count]) => `${code} ${count}`).join(', ')
  const left = rejected === 0 ? '' : `; ${rejected} matched and rejected (${reasons})`
  const some = plan.opened.slice(0, MOST_NAMED).join(', ')
  const others = plan.opened.length - MOST_NAMED
  const opened = plan.opened.length === 0 ? 'none' : others > 0 ? `${some} and ${others} more` : some
  return `${counts.ok} ok, ${counts.unknown} unknown, ${counts.no} no${left}; types opened: ${opened}\n`
}

/** Says on stderr what concerns more than one target. Why one is refused is said once: of what rows `told`, the number is enough. */
function complain(plan: ProbePlan, told?: Told): void {
  const refused = plan.specs.filter(({ verdict }) => verdict === 'no')
  const inRows = new Set<string>()
  if (told !== undefined && refused.length > 0) {
    for (const { targets } of refused)
      for (const { reasons } of targets) for (const { message } of reasons) inRows.add(message)
    const many = partOf(refused.length, plan.specs.length, ['specification', 'specifications'])
    note(`${many} cannot be attached to${told === 'by codes' ? ': -v says why' : ''}`)
  }
  for (const { code, message } of plan.warnings) if (told === undefined || code !== 'SKIPPED') note(message)
  const doubted = plan.specs.flatMap(({ targets }) => targets).filter(({ verdict }) => verdict === 'unknown')
  const unknown = new Set(doubted.flatMap(({ reasons }) => reasons.map(({ message }) => message)))
  for (const message of [...unknown].slice(0, MOST_IN_FULL)) note(message)
  for (const { code, message } of plan.reasons) if (!inRows.has(message)) note(`${message} (${code})`)
}

/** Says on stderr what was probably meant by names and types that are not there. */
function hint({ symbols, types }: Kernel, plan: ProbePlan, options: TypeOptions): void {
  const unknown = asksByType(options) ? unknownType(types, options) : undefined
  if (unknown !== undefined) note(unknown)
  const noted = new Set<string>()
  const once = (text: string) => {
    if (!noted.has(text)) note(text)
    noted.add(text)
  }
  for (const { function: name, module, reasons } of plan.specs.flatMap(({ targets }) => targets)) {
    const is = (wanted: string) => reasons.some(({ code }) => code === wanted)
    const near = is('NOT_FOUND') ? nearFunction(symbols, module, name) : ''
    if (near !== '') once(`there is no ${printable(name)}${near}`)
    const loaded = is('MODULE_NOT_LOADED') && module !== undefined ? meant(module, symbols.owners) : ''
    if (loaded !== '') once(`no module ${printable(module!)} is loaded${loaded}`)
  }
}

function exitOf(plan: ProbePlan): number {
  const allOk = plan.verdict === 'ok' && plan.specs.every(({ verdict }) => verdict === 'ok')
  return allOk ? EXIT.ok : EXIT.notFound
}

function censusTable(census: SuffixCensus): string {
  const { classes, totals, variantNames, besideBase, labels, others, withoutSymbol } = census
  const lines = [colours.bold('suffix                  symbols    names  with BTF   without  entry of a function')]
  for (const { suffix, count, names, withBtf, withoutBtf, entry } of classes) {
    const cells = [count, names, withBtf, withoutBtf].map((value) => String(value).padStart(9))
    lines.push(`.${suffix.padEnd(21)}${cells.join('')}  ${entry ? 'yes' : 'no'}`)
  }
  for (const [part, { count, withBtf }] of Object.entries(totals)) {
    lines.push(`.${part} in all without .cold: ${count}, ${withBtf} of them with BTF of the base name`)
  }
  lines.push(
    `${variantNames} names of entries with .isra or .constprop; ${besideBase} variants beside a function without suffix`,
  )
  if (labels.length > 0) lines.push(`labels that begin with a dot: ${labels.join(', ')}`)
  if (others > 0) lines.push(`${others} other names with dots`)
  if (withoutSymbol !== undefined) {
    const { functions, suffixOnly } = withoutSymbol
    lines.push(
      `${functions} functions in vmlinux's BTF have no symbol of their name, ${suffixOnly} of them one with a suffix`,
    )
  }
  return `${lines.join('\n')}\n`
}
