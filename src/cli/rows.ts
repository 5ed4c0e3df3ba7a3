// Answers as rows that the asker chose: a template with fields, CSV or TSV. Which fields there are is the command's.

import { meant } from '../core/arguments.ts'
import { UsageError } from '../core/errors.ts'
import { printableLines } from '../core/printable.ts'

/** A field of a row. */
export interface Field<Row> {
  readonly name: string
  /** As JSON has it: numbers in decimal digits; undefined where there is none. What others wrote is escaped already. */
  readonly value: (row: Row) => string | undefined
  /** As people read it, where that is different. */
  readonly words?: (row: Row) => string | undefined
}

/** How rows are written. */
export interface RowFormat<Row> {
  /** What comes before the first row. */
  readonly head: string
  readonly line: (row: Row) => string
}

/** What a template has for a field without a value. */
const NOTHING = '-'
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', '\\': '\\' }

/** What `--format` takes beside a command's own words, for its help. */
export function formatHelp(fields: readonly Field<never>[]): string {
  return `csv and tsv have a line of names first and numbers in decimal digits; CSV is quoted as RFC 4180 says, TSV has \\t for a tab.
A template is printed once an answer: {FIELD} stands for a field as the command prints it, - where there is none; {{ and }} for
braces, \\t and \\n for a tab and a line end. Fields: ${fields.map(({ name }) => name).join(', ')}.`
}

/**
 * The format of a name, or of a template; undefined for one of the command's own words.
 * @throws UsageError if it is none, or names a field that there is not
 */
export function rowFormat<Row>(
  format: string | undefined,
  fields: readonly Field<Row>[],
  own: readonly string[] = [],
): RowFormat<Row> | undefined {
  if (format === undefined || own.includes(format)) return undefined
  if (format === 'csv') return table(fields, ',', quoted)
  if (format === 'tsv') return table(fields, '\t', (text) => text)
  if (!format.includes('{')) {
    const words = [...own, 'csv', 'tsv']
    throw new UsageError(
      `--format takes ${words.join(', ')} or a template such as '{${fields[0]?.name}}', not ${JSON.stringify(format)}${meant(format, words)}`,
    )
  }
  return template(format, fields)
}

function table<Row>(fields: readonly Field<Row>[], between: string, cell: (text: string) => string): RowFormat<Row> {
  return {
    head: `${fields.map(({ name }) => name).join(between)}\n`,
    line: (row) => `${fields.map(({ value }) => cell(value(row) ?? '')).join(between)}\n`,
  }
}

function quoted(text: string): string {
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function template<Row>(format: string, fields: readonly Field<Row>[]): RowFormat<Row> {
  const pieces: (string | Field<Row>)[] = []
  let text = ''
  for (let i = 0; i < format.length; i++) {
    const letter = format[i]!
    const next = format[i + 1] ?? ''
    if ((letter === '{' || letter === '}') && next === letter) {
      text += letter
      i++
    } else if (letter === '\\' && ESCAPES[next] !== undefined) {
      text += ESCAPES[next]
      i++
    } else if (letter === '{') {
      const end = format.indexOf('}', i)
      if (end < 0)
        throw new UsageError(`--format ${JSON.stringify(format)} opens a field and does not close it; {{ is a brace`)
      const name = format.slice(i + 1, end)
      const field = fields.find((one) => one.name === name)
      const names = fields.map((one) => one.name)
      if (field === undefined)
        throw new UsageError(`--format has no field {${name}}${meant(name, names)}; it knows ${names.join(', ')}`)
      pieces.push(printableLines(text), field)
      text = ''
      i = end
    } else text += letter
  }
  pieces.push(`${printableLines(text)}\n`)
  return {
    head: '',
    line: (row) =>
      pieces
        .map((piece) => (typeof piece === 'string' ? piece : ((piece.words ?? piece.value)(row) ?? NOTHING)))
        .join(''),
  }
}
