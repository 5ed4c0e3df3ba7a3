// Colours for people: as `--color` says, else never where NO_COLOR is set, always where FORCE_COLOR is, and on a terminal.

import { isTerminal } from './terminal.ts'

/** Whether what is printed may be coloured. The command line is read here, because everything that prints is made from this. */
export const coloured = isColoured(process.argv, process.env, isTerminal('stdout'))

const between =
  (begin: number, end: number) =>
  (text: string): string =>
    coloured ? `\x1b[${begin}m${text}\x1b[${end}m` : text

/** Functions that colour text, or leave it as it is. */
export const colours = {
  bold: between(1, 22),
  dim: between(2, 22),
  red: between(31, 39),
  green: between(32, 39),
  yellow: between(33, 39),
}

/** The rule: the last `--color` wins, then NO_COLOR, then FORCE_COLOR, then whether a terminal that knows colours shows it. */
export function isColoured(args: readonly string[], env: NodeJS.ProcessEnv, terminal: boolean): boolean {
  const end = args.indexOf('--')
  const before = end < 0 ? args : args.slice(0, end)
  const given = before.flatMap((arg, at) =>
    arg.startsWith('--color=') ? [arg.slice('--color='.length)] : arg === '--color' ? [before[at + 1]] : [],
  )
  const when = given.at(-1)
  if (when === 'always' || when === 'never') return when === 'always'
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false'
  return terminal && env.TERM !== 'dumb'
}
