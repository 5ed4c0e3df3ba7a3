// Text that fits a terminal: lines are cut between words, where the terminal would cut a number in two.

/** Escape codes of colours, which take no room. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what they begin with
const COLOUR = /\x1b\[[\d;]*m/g
/** Columns at which a terminal is too narrow to be fitted. */
const LEAST_COLUMNS = 20

/** Lines of a text, cut between words; a word that is longer stands by itself. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  for (const paragraph of text.split('\n')) {
    let line: string | undefined
    for (const word of paragraph.split(' ')) {
      if (line !== undefined && line !== '' && widthOf(line) + 1 + widthOf(word) > width) {
        lines.push(line.trimEnd())
        line = word
      } else line = line === undefined ? word : `${line} ${word}`
    }
    lines.push(line ?? '')
  }
  return lines
}

/**
 * Rows for so many columns, where that is known: what of a row has no room goes on in lines that are set in by `indent`. A row that is
 * to be copied is better left as it is.
 */
export function fittedRows(text: string, columns: number | undefined, indent: number): string {
  if (columns === undefined || columns < LEAST_COLUMNS) return text
  return text
    .split('\n')
    .map((row) => {
      if (widthOf(row) <= columns) return row
      const set = /^ */.exec(row)![0].length
      const first = wrapped(row.slice(set), columns - set)[0]!
      const rest = row.slice(set + first.length).trim()
      // A long word that has room in no line set in so far is better cut nowhere.
      const longest = Math.max(...rest.split(' ').map(widthOf))
      const further = ' '.repeat(Math.max(0, Math.min(set + indent, columns - longest)))
      const lines = wrapped(rest, columns - further.length).map((line) => further + line.trimStart())
      return [' '.repeat(set) + first, ...lines].join('\n')
    })
    .join('\n')
}

const widthOf = (text: string): number => text.replace(COLOUR, '').length
