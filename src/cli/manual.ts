// The manual pages, made from the definitions of the commands: what `--help` says, as troff's man macros write it.

import type { Argument, Command, Option } from 'commander'

/** A page for `kerndex` and one for each command, by file name. `date` is that of the release, such as 2026-11-29. */
export function manualPages(program: Command, version: string, date: string): Map<string, string> {
  const commands = program.commands
  const all = commands.map((each) => `.BR kerndex\\-${escaped(each.name())} (1)`).join(',\n')
  const pages = new Map([[`${program.name()}.1`, page(program, version, date, all)]])
  for (const command of commands) {
    pages.set(`kerndex-${command.name()}.1`, page(command, version, date, '.BR kerndex (1)'))
  }
  return pages
}

function page(command: Command, version: string, date: string, also: string): string {
  const name = titleOf(command)
  const below = command.commands
  const leaves = below.length > 0 && command.parent !== null ? below : []
  const sections = [
    `.TH ${name.replaceAll(' ', '-').toUpperCase()} 1 "${date}" "kerndex ${version}" "kerndex"`,
    section('NAME', `${escaped(name.replaceAll(' ', '-'))} \\- ${escaped(command.description())}`),
    section('SYNOPSIS', (leaves.length > 0 ? leaves : [command]).map(synopsis).join('\n.br\n')),
    ...(leaves.length > 0 ? [] : body(command)),
    ...leaves.flatMap((each) => [
      section(titleOf(each).toUpperCase(), paragraphs(each.description())),
      ...body(each).map((part) => part.replace(/^\.SH /, '.SS ')),
    ]),
    ...(command.parent === null
      ? [section('COMMANDS', below.map((each) => item(each.name(), each.description())).join('\n'))]
      : []),
    section('SEE ALSO', also),
  ]
  return `${sections.join('\n')}\n`
}

/** Arguments, options and what the help says behind them. */
function body(command: Command): string[] {
  const parts: string[] = []
  const args = command.registeredArguments.filter((each) => each.description !== '')
  if (args.length > 0)
    parts.push(section('ARGUMENTS', args.map((each) => item(each.name(), each.description)).join('\n')))
  const options = command.options.filter((each) => !each.hidden)
  if (options.length > 0) parts.push(section('OPTIONS', options.map(optionItem).join('\n')))
  const { text, codes, examples } = helpBehind(command)
  if (text !== '') parts.push(section('NOTES', paragraphs(text)))
  if (codes !== '') parts.push(section('EXIT STATUS', paragraphs(codes)))
  if (examples.length > 0) {
    parts.push(section('EXAMPLES', examples.map((each) => `.PP\n.EX\n${escaped(each)}\n.EE`).join('\n')))
  }
  return parts
}

/** What stands behind the options in a command's help, taken apart. */
export function helpBehind(command: Command): { text: string; codes: string; examples: string[] } {
  let help = ''
  command.configureOutput({ writeOut: (piece) => (help += piece) }).outputHelp()
  const own = command.createHelp().formatHelp(command, command.createHelp())
  const behind = help.startsWith(own) ? help.slice(own.length) : help
  const [before = '', after = ''] = behind.split(/^Examples:\n/m, 2)
  const codes = before.split('\n\n').find((part) => part.trimStart().startsWith('Exit codes:')) ?? ''
  const examples = after.split('\n').flatMap((line) => (line.startsWith('  $ ') ? [line.slice(4)] : []))
  return { text: before.replace(codes, '').trim(), codes: codes.trim().replace('Exit codes: ', ''), examples }
}

function titleOf(command: Command): string {
  return command.parent === null ? command.name() : `${titleOf(command.parent)} ${command.name()}`
}

function synopsis(command: Command): string {
  const args = command.registeredArguments.map((each) => `\\fI${escaped(argumentText(each))}\\fR`)
  return [`\\fB${escaped(titleOf(command))}\\fR`, '[options]', ...args].join(' ')
}

function argumentText(argument: Argument): string {
  const name = argument.variadic ? `${argument.name()}...` : argument.name()
  return argument.required ? name : `[${name}]`
}

function optionItem(option: Option): string {
  const choices = option.argChoices === undefined ? '' : ` (one of ${option.argChoices.join(', ')})`
  const standard = typeof option.defaultValue === 'string' ? `, by default ${option.defaultValue}` : ''
  return item(option.flags, `${option.description}${choices}${standard}`)
}

function item(term: string, text: string): string {
  return `.TP\n\\fB${escaped(term)}\\fR\n${escaped(text)}`
}

function section(title: string, text: string): string {
  return `.SH "${escaped(title)}"\n${text}`
}

function paragraphs(text: string): string {
  return text
    .split(/\n\n+/)
    .map((each) => `.PP\n${escaped(each)}`)
    .join('\n')
}

/** A text without anything that troff would act on. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(['.])/gm, '\\&$1')
    .replaceAll('"', '\\(dq')
}
