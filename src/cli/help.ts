// How help fits a terminal: descriptions under what they describe where there is no room beside it, and paragraphs wrapped to the width.

import type { Help } from 'commander'
import { wrapped } from './fit.ts'

/** Columns that a description needs to stand beside what it describes. */
const LEAST_BESIDE = 36
/** How far a description is set in that stands below. */
const BELOW = 6

/** What commander is told of every command's help. */
export const HELP_FORMAT: Partial<Help> = { showGlobalOptions: true, formatItem }

/** An option, argument or command with its description. */
export function formatItem(term: string, termWidth: number, description: string, helper: Help): string {
  const width = helper.helpWidth ?? 80
  if (description === '') return `  ${term}`
  const isBeside = width - termWidth - 4 >= LEAST_BESIDE
  const indent = isBeside ? termWidth + 4 : BELOW
  const lines = wrapped(description, width - indent)
  const first = isBeside ? [`  ${term.padEnd(termWidth)}  ${lines.shift()}`] : [`  ${term}`]
  return [...first, ...lines.map((line) => `${' '.repeat(indent)}${line}`)].join('\n')
}

/**
 * Wraps what is too wide: paragraphs as a whole, lines that are set in each by itself. Examples stay as they are: they are copied, and
 * a terminal copies a line that it broke as one.
 */
export function fitted(text: string, width: number): string {
  return text
    .split('\n\n')
    .map((part) => fittedPart(part, width))
    .join('\n\n')
}

function fittedPart(part: string, width: number): string {
  const lines = part.split('\n')
  if (lines.every((line) => line.length <= width)) return part
  const whole: string[] = []
  let isOpen = false
  for (const line of lines) {
    const goesOn = isOpen && line !== '' && !/^\s/.test(line)
    if (goesOn) whole[whole.length - 1] += ` ${line}`
    else whole.push(line)
    isOpen = line !== '' && !/^\s/.test(line) && !line.endsWith(':')
  }
  return whole.flatMap((line) => (/^\s*\$ /.test(line) ? [line] : wrappedIn(line, width))).join('\n')
}

/** Lines of a text that may be set in, and stays so. */
function wrappedIn(line: string, width: number): string[] {
  const indent = /^\s*/.exec(line)![0]
  return wrapped(line.slice(indent.length), width - indent.length).map((each) => indent + each)
}
