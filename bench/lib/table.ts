// Rows in words: the table on a terminal, and tables of Markdown for a document.

import { moreIsBetter, type Report, type Row } from './report.ts'

/** Rows of one suite and input as an aligned table. */
export function formatRows(rows: readonly Row[]): string {
  const first = rows[0]
  if (first === undefined) return ''
  const cells = rows.map((row) => [
    row.what,
    row.by,
    `${figure(row.median)} ${row.unit}`,
    row.n > 1 ? `${figure(row.low)} – ${figure(row.high)}` : '',
    row.n > 1 ? figure(moreIsBetter(row.unit) ? row.max : row.min) : '',
    String(row.n),
    row.ratio === undefined ? '' : `${figure(row.ratio)} × ${row.yardstick ?? ''}`,
    row.note ?? '',
  ])
  const table = [['what', 'by', 'median', 'quartiles', 'best', 'n', 'ratio', 'note'], ...cells]
  const widths = table[0]!.map((_, column) => Math.max(...table.map((line) => line[column]!.length)))
  const lines = table.map((line) =>
    `  ${line.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')}`.trimEnd(),
  )
  return `${first.suite}: ${first.input}\n${lines.join('\n')}\n`
}

/** A report as Markdown: the machine in a sentence, then a table a suite with a column an input. */
export function formatMarkdown(report: Report): string {
  const { machine, settings, rows } = report
  const parts = [
    `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node.slice(1)}; kerndex ${report.kerndex}${report.commit === undefined ? '' : ` (${report.commit})`}, ` +
      `${report.date.slice(0, 10)}. Medians of ${settings.processes} processes or ${settings.rounds} rounds, ` +
      'quartiles in brackets, then the ratio to the yardstick of the same run.',
  ]
  for (const suite of new Set(rows.map((row) => row.suite))) {
    const own = rows.filter((row) => row.suite === suite)
    const inputs = [...new Set(own.map(({ input }) => input))]
    const works = new Map(own.map((row) => [JSON.stringify([row.what, row.by]), row]))
    const lines = [...works].map(([work, { what, by }]) => {
      const cells = inputs.map((input) => {
        const row = own.find((one) => one.input === input && JSON.stringify([one.what, one.by]) === work)
        return row === undefined ? '' : cellOf(row)
      })
      return `| ${[what, by, ...cells].map(escapeCell).join(' | ')} |`
    })
    parts.push(
      [
        `**${suite}**`,
        '',
        `| work | by | ${inputs.map(escapeCell).join(' | ')} |`,
        `|---|---|${'---|'.repeat(inputs.length)}`,
        ...lines,
      ].join('\n'),
    )
  }
  return `${parts.join('\n\n')}\n`
}

function cellOf({ median, low, high, unit, n, ratio, yardstick }: Row): string {
  const spread = n > 1 && low !== high ? ` (${figure(low)}–${figure(high)})` : ''
  const compared = ratio === undefined ? '' : `, ${figure(ratio)} × ${yardstick}`
  return `${figure(median)} ${unit}${spread}${compared}`
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('*', '\\*')
}

/** Three significant digits, never in exponential form. */
export function figure(value: number): string {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.max(Math.abs(value), 0.01))))
  return value.toFixed(digits)
}
