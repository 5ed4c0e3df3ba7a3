// The words that may come next on a command line, from the definitions of the commands: words, files, or names of a kernel.

import type { Argument, Command, Option } from 'commander'

/** Names of a kernel that a word may be. */
export type NameKind = 'symbol' | 'type' | 'function' | 'module' | 'spec'

/** What the word under the cursor may become. */
export interface Completions {
  readonly words: readonly { readonly word: string; readonly help: string }[]
  /** Files may be meant as well. */
  readonly files: boolean
  readonly names: NameKind | undefined
}

/** Which names an argument or the value of an option is, by the words by which help calls it. */
const NAMES: Readonly<Record<string, NameKind>> = { module: 'module', root: 'type', spec: 'spec' }
const NAMES_OF_COMMAND: Readonly<Record<string, NameKind>> = { symbol: 'symbol', type: 'type', function: 'function' }
/** Arguments and values that are files. */
const FILES = /^(path|file|base|capture|directory|object|a|b|source|target|snapshot|to|dir)$/

/**
 * What the last of `words` may become; `words` are those behind `kerndex`, the one under the cursor included.
 */
export function completionsOf(program: Command, words: readonly string[]): Completions {
  const current = words.at(-1) ?? ''
  let command = program
  let value: Option | undefined
  let position = 0
  let onlyArguments = false
  for (const word of words.slice(0, -1)) {
    if (value !== undefined) value = undefined
    else if (onlyArguments) position++
    else if (word === '--') onlyArguments = true
    else if (word.startsWith('-') && word !== '-') {
      const option = optionsOf(command).find((each) => each.long === word || each.short === word)
      value = option !== undefined && (option.required || option.optional) ? option : undefined
    } else {
      const below = command.commands.find((each) => each.name() === word)
      if (below === undefined) position++
      else command = below
    }
  }
  if (value !== undefined) return valuesOf(value, value.name(), command)
  if (current.startsWith('-') && !onlyArguments) {
    const options = optionsOf(command).filter((each) => !each.hidden)
    return only(options.flatMap((each) => (each.long == null ? [] : [{ word: each.long, help: each.description }])))
  }
  if (command.commands.length > 0) {
    return only(command.commands.map((each) => ({ word: each.name(), help: each.description() })))
  }
  const argument = command.registeredArguments[position] ?? command.registeredArguments.at(-1)
  if (argument === undefined || (position >= command.registeredArguments.length && !argument.variadic)) return only([])
  return valuesOf(argument, argument.name(), command)
}

/** Options of a command and of those above it; the help option has no object of its own. */
function optionsOf(command: Command): readonly Option[] {
  // The common options of all commands may stand in front of any: those of its first one are taken.
  const common =
    command.parent === null ? (command.commands.find((each) => each.options.length > 0)?.options ?? []) : []
  return [...command.options, ...common.filter((each) => each.helpGroupHeading === 'Common options:')]
}

function valuesOf(what: Option | Argument, name: string, command: Command): Completions {
  const choices = what.argChoices
  if (choices !== undefined) return only(choices.map((word) => ({ word, help: '' })))
  const called = 'flags' in what ? (/<([\w-]+)/.exec(what.flags)?.[1] ?? name) : name
  const names = NAMES[called] ?? NAMES[name] ?? ('flags' in what ? undefined : NAMES_OF_COMMAND[command.name()])
  return { words: [], files: FILES.test(called), names }
}

function only(words: Completions['words']): Completions {
  return { words, files: false, names: undefined }
}
