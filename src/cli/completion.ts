// `kerndex completion SHELL`: what a shell has to be told once. It asks the command itself each time what may come next, so that
// nothing has to be told again when commands change.

import { Argument, type Command } from 'commander'
import { meant } from '../core/arguments.ts'
import { completionsOf } from './complete.ts'
import { knownNames } from './known-names.ts'
import { writeRaw } from './output.ts'

/** By shell: how it asks for completions, a line each with the help behind a tab; `:files` stands for its own files. */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_kerndex() {
  local IFS=$'\\n' line
  # Bash parts words at colons and equals signs, which are no ends of words for kerndex.
  local words=() i word
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == = ]]; then
      ((i == COMP_CWORD)) && words+=('')
    elif ((i > 1)) && [[ $COMP_WORDBREAKS == *:* ]] && [[ $word == :* || \${COMP_WORDS[i - 1]} == *: ]]; then
      words[-1]+=$word
    else
      words+=("$word")
    fi
  done
  local current=\${words[-1]} front=
  [[ $COMP_WORDBREAKS == *:* && $current == *:* ]] && front=\${current%"\${current##*:}"}
  COMPREPLY=()
  while read -r line; do
    if [[ $line == :files ]]; then
      COMPREPLY+=($(compgen -f -- "$current"))
      compopt -o filenames 2>/dev/null
    else
      line=\${line%%$'\\t'*}
      COMPREPLY+=("\${line#"$front"}")
    fi
  done < <(kerndex completion --words -- "\${words[@]}" 2>/dev/null)
}
complete -F _kerndex kerndex
`,
  zsh: `#compdef kerndex
_kerndex() {
  local -a answers
  local line word
  for line in "\${(@f)$(kerndex completion --words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -z $line ]] && continue
    if [[ $line == :files ]]; then
      _files
    else
      word=\${line%%$'\\t'*}
      answers+=("\${word//:/\\\\:}:\${line#*$'\\t'}")
    fi
  done
  (( \${#answers} )) && _describe kerndex answers
}
if [[ \${funcstack[1]} == _kerndex ]]; then _kerndex "$@"; else compdef _kerndex kerndex; fi
`,
  fish: `function __kerndex
  set -l words (commandline -opc)[2..-1] (commandline -ct)
  kerndex completion --words -- $words 2>/dev/null | while read -l line
    if test "$line" = :files
      __fish_complete_path (commandline -ct)
    else
      echo $line
    end
  end
end
complete -c kerndex -f -a '(__kerndex)'
`,
}

interface CompletionOptions {
  readonly words?: boolean
}

/** @param all makes all commands, to be asked what they take */
export function addCompletionCommand(program: Command, all: () => Command): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell...>', 'bash, zsh or fish'))
    .description('what a shell has to be told, so that it completes commands, options and names')
    .option('--words', 'what shells ask: what the last of these words may become')
    .addHelpText(
      'after',
      `
Put the line for your shell where it reads it when it starts. Names of symbols, types, functions and modules are completed from
the snapshot that an earlier command with --cache left; without one, commands, options, choices and files are.

Exit codes: 0 done, 2 wrong usage.

Examples:
  $ source <(kerndex completion bash)                       # in ~/.bashrc
  $ source <(kerndex completion zsh)                        # in ~/.zshrc, behind compinit
  $ kerndex completion fish | source                        # in ~/.config/fish/config.fish`,
    )
    .action(async (args: string[], { words }: CompletionOptions, command: Command) => {
      if (words !== true) {
        const [shell = ''] = args
        const script = Object.hasOwn(SCRIPTS, shell) && args.length === 1 ? SCRIPTS[shell] : undefined
        if (script === undefined)
          command.error(`error: the shell must be bash, zsh or fish${meant(shell, Object.keys(SCRIPTS))}`)
        await writeRaw(script)
        return
      }
      for (const line of await answers(all(), args)) await writeRaw(`${line}\n`)
    })
}

/** The lines that shells are given: words that begin as the last one does. */
async function answers(program: Command, words: readonly string[]): Promise<string[]> {
  const current = words.at(-1) ?? ''
  const { words: possible, files, names } = completionsOf(program, words)
  const known = names === undefined ? [] : await knownNames(names, current)
  const lines = possible
    .filter(({ word }) => word.startsWith(current))
    .map(({ word, help }) => `${word}\t${firstLine(help)}`)
  return [...lines, ...known, ...(files ? [':files'] : [])]
}

function firstLine(help: string): string {
  return help.replace(/\s+/g, ' ')
}
