// The code inside the page: reads the data beside it and draws it with Observable Plot. It runs in a browser and imports nothing.

import type * as PlotLibrary from '@observablehq/plot'
import type { ChangedRow } from '../lib/changes.ts'
import type { Report, Row } from '../lib/report.ts'

/** As much of a browser's document as is used here; the rest of the project knows of none. */
interface Element {
  textContent: string | null
  id: string
  append(...children: (Element | string)[]): void
  setAttribute(name: string, value: string): void
}
declare const document: { getElementById(id: string): Element | null; createElement(name: string): Element }
declare const Plot: typeof PlotLibrary

interface PageData {
  readonly report: Report
  readonly changes?: { readonly date: string; readonly rows: readonly ChangedRow[] }
}

const WIDTH = 1100
const FONT = '13px'
/** A letter of the labels beside a chart, in pixels; about right for the font above. */
const LETTER = 7.2
/** From this quotient of the largest and smallest figure on, an axis is logarithmic. */
const WIDE = 12

const byId = (id: string): Element => {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`the page has no ${id}`)
  return element
}
const { report, changes }: PageData = JSON.parse(byId('data').textContent ?? '')

function make(name: string, text: string, ...children: (Element | string)[]): Element {
  const element = document.createElement(name)
  if (text !== '') element.append(text)
  element.append(...children)
  return element
}

/** Three significant digits, with separators between thousands. */
function figure(value: number): string {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.max(Math.abs(value), 0.001))))
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

const isRate = ({ unit }: Row): boolean => unit.endsWith('/s')
const isKerndex = ({ by }: { by: string }): boolean => by.startsWith('kerndex')

function inWords(row: Row): string {
  const lines = [
    `${row.by}`,
    `median ${figure(row.median)} ${row.unit} of ${row.n}`,
    `quartiles ${figure(row.low)} – ${figure(row.high)}, all ${figure(row.min)} – ${figure(row.max)}`,
  ]
  if (row.ratio !== undefined) lines.push(`${figure(row.ratio)} × ${row.yardstick}`)
  if (row.note !== undefined) lines.push(row.note)
  return lines.join('\n')
}

function labelOf(row: Row): string {
  const median = `${figure(row.median)} ${row.unit}`
  return row.ratio === undefined ? median : `${median}   ${figure(row.ratio)} × ${row.yardstick}`
}

/** Round places on a logarithmic axis: 1, 2 and 5 of every power of ten, and for short axes some between. */
function logTicks(least: number, most: number): number[] {
  const steps = most / least > 8 ? [1, 2, 5] : [1, 1.1, 1.25, 1.5, 2, 3, 4, 5, 6, 7, 8, 9]
  const first = Math.floor(Math.log10(least))
  const powers = Array.from({ length: Math.ceil(Math.log10(most)) - first + 1 }, (_, i) => 10 ** (first + i))
  return powers
    .flatMap((power) => steps.map((step) => Number((step * power).toPrecision(3))))
    .filter((tick) => tick >= least && tick <= most)
}

function longest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map(({ length }) => length)) * LETTER
}

function caption(title: string, chart: Element): Element {
  const box = make('figure', '', make('h3', title))
  box.append(chart)
  return box
}

/** One work: a line for each contestant, with its median, its quartiles and all of its range, an input below the other. */
function comparison(what: string, rows: readonly Row[]): Element {
  const unit = rows[0]?.unit ?? 'ms'
  const least = Math.min(...rows.map(({ min }) => min))
  const most = Math.max(...rows.map(({ max }) => max))
  const log = least > 0 && most / least > WIDE
  const names = [...new Set(rows.map(({ by }) => by))]
  const inputs = [...new Set(rows.map(({ input }) => input))]
  const color = (row: Row) => (isKerndex(row) ? 'var(--kerndex)' : 'var(--other)')
  const chart = Plot.plot({
    width: WIDTH,
    height: 66 + inputs.length * (names.length * 22 + (inputs.length > 1 ? 34 : 0)),
    marginLeft: 24 + longest(names),
    marginRight: 30 + longest(rows.map(labelOf)) * 0.92,
    marginTop: 30,
    marginBottom: 36,
    style: { fontSize: FONT },
    x: {
      ...(log ? { type: 'log' as const } : { domain: [0, most * 1.02] }),
      label: `${unit}${log ? ', logarithmic' : ''} (${isRate(rows[0]!) ? 'more' : 'less'} is better) →`,
      grid: true,
      ticks: log ? logTicks(least, most) : 6,
      tickFormat: (value: number) => value.toLocaleString('en-US'),
    },
    y: { label: null, domain: names, padding: 0.4 },
    fy: { label: null, domain: inputs, padding: inputs.length > 1 ? 0.3 : 0, axis: null },
    marks: [
      ...(inputs.length > 1
        ? [
            Plot.text(inputs, {
              fy: (input: string) => input,
              text: (input: string) => input,
              frameAnchor: 'top-left',
              textAnchor: 'end',
              dx: -8,
              dy: -14,
              fontWeight: 600,
            }),
          ]
        : []),
      Plot.ruleY(rows, { x1: 'min', x2: 'max', y: 'by', fy: 'input', stroke: color, strokeOpacity: 0.4 }),
      Plot.ruleY(rows, {
        x1: 'low',
        x2: 'high',
        y: 'by',
        fy: 'input',
        stroke: color,
        strokeWidth: 7,
        strokeOpacity: 0.45,
        strokeLinecap: 'round',
      }),
      Plot.dot(rows, { x: 'median', y: 'by', fy: 'input', fill: color, r: 4.5, className: 'median', title: inWords }),
      Plot.text(rows, {
        x: 'max',
        y: 'by',
        fy: 'input',
        text: labelOf,
        textAnchor: 'start',
        dx: 10,
        fill: 'currentColor',
      }),
    ],
  }) as unknown as Element // An element of the browser, of which this file knows only the part above.
  return caption(what, chart)
}

/** How a cost grows with the number of symbols. */
function growth(what: string, rows: readonly Row[]): Element {
  const unit = rows[0]?.unit ?? 'ms'
  const least = Math.min(...rows.map(({ min }) => min))
  const most = Math.max(...rows.map(({ max }) => max))
  const log = most / least >= 3
  const sizes = [...new Set(rows.map(({ symbols }) => symbols ?? 0))]
  const everybody = [...new Set(rows.map(({ by }) => by))]
  const names = [...everybody.filter((by) => isKerndex({ by })), ...everybody.filter((by) => !isKerndex({ by }))]
  const chart = Plot.plot({
    width: WIDTH,
    height: 340,
    marginLeft: 70,
    marginRight: 40,
    marginTop: 28,
    marginBottom: 40,
    style: { fontSize: FONT },
    x: { type: 'log', label: 'symbols, logarithmic →', tickFormat: '~s', ticks: sizes, grid: true },
    y: {
      label: `↑ ${unit}${log ? ', logarithmic' : ''} (${isRate(rows[0]!) ? 'more' : 'less'} is better)`,
      grid: true,
      tickFormat: (value: number) => value.toLocaleString('en-US'),
      ...(log ? { type: 'log' as const, ticks: logTicks(least, most) } : { zero: true, ticks: 6 }),
    },
    color: { scheme: 'observable10', legend: true, domain: names },
    marks: [
      Plot.line(rows, { x: 'symbols', y: 'median', stroke: 'by', strokeWidth: 2 }),
      Plot.ruleX(rows, { x: 'symbols', y1: 'low', y2: 'high', stroke: 'by', strokeWidth: 7, strokeOpacity: 0.4 }),
      Plot.dot(rows, { x: 'symbols', y: 'median', fill: 'by', r: 4.5, className: 'median', title: inWords }),
    ],
  }) as unknown as Element // As above.
  return caption(what, chart)
}

/** How many times better or worse each row became. */
function change(suite: string, rows: readonly ChangedRow[]): Element {
  const named = rows.map((row) => ({ ...row, name: `${row.what} · ${row.by} · ${row.input}` }))
  const reach = Math.max(
    1.5,
    ...named.flatMap(({ gain, gainLow, gainHigh }) => [gain, gainHigh, 1 / gainLow, 1 / gain]),
  )
  const color = ({ verdict }: ChangedRow) => (verdict === 'same' ? 'var(--other)' : `var(--${verdict})`)
  const label = (row: ChangedRow) => `${figure(row.gain)} ×`
  const chart = Plot.plot({
    width: WIDTH,
    height: 60 + named.length * 22,
    marginLeft: Math.min(620, 24 + longest(named.map(({ name }) => name))),
    marginRight: 70,
    marginTop: 24,
    marginBottom: 34,
    style: { fontSize: FONT },
    x: {
      type: 'log',
      domain: [1 / reach, reach],
      label: '← worse · times better, logarithmic →',
      grid: true,
      ticks: logTicks(1 / reach, reach),
      tickFormat: (value: number) => String(value),
    },
    y: { label: null, domain: named.map(({ name }) => name), padding: 0.4 },
    marks: [
      Plot.ruleX([1], { strokeOpacity: 0.6 }),
      Plot.ruleY(named, {
        x1: 'gainLow',
        x2: 'gainHigh',
        y: 'name',
        stroke: color,
        strokeWidth: 6,
        strokeOpacity: 0.4,
        strokeLinecap: 'round',
      }),
      Plot.dot(named, {
        x: 'gain',
        y: 'name',
        fill: color,
        r: 4.5,
        className: 'change',
        title: (row: ChangedRow) =>
          `${row.of}: ${figure(row.before)} before, ${figure(row.now)} now\n${row.verdict === 'same' ? 'within the spread' : row.verdict}`,
      }),
      Plot.text(named, { x: reach, y: 'name', text: label, textAnchor: 'start', dx: 8, fill: color }),
    ],
  }) as unknown as Element // As above.
  return caption(suite, chart)
}

/** Rows by what `of` says of them, in the order of their first appearance. */
function grouped<T>(rows: readonly T[], of: (row: T) => string): [string, T[]][] {
  const groups = new Map<string, T[]>()
  for (const row of rows) {
    const group = groups.get(of(row))
    if (group === undefined) groups.set(of(row), [row])
    else group.push(row)
  }
  return [...groups]
}

function section(title: string, text: string, charts: readonly Element[]): void {
  const heading = make('h2', title)
  heading.id = title.replaceAll(/\W+/g, '-')
  const link = make('a', title)
  link.setAttribute('href', `#${heading.id}`)
  byId('contents').append(link)
  byId('charts').append(heading, make('p', text), ...charts)
}

const ABOUT: Readonly<Record<string, string>> = {
  load: 'Cold processes: nothing compiled, no thread started. Each figure is compared with a plain read of the same files in the same process.',
  lookups: 'Addresses to symbols on one thread, in a warm process.',
  names: 'Names to symbols, in a warm process; the strings are new in every run.',
  bulk: 'Ten million addresses at once, answers in new arrays.',
  types: 'BTF: reading, finding and printing types.',
  memory: 'Cold processes; resident memory as the kernel counts it.',
  probes: 'Plans of probes over an opened kernel.',
  refresh: 'Reading again in a process that has done so before.',
  tools: 'Whole processes that do the same named work, their outputs compared before.',
  scale: 'Synthetic tables, shaped like real ones.',
}

function describe(): void {
  const { machine, settings, tools, date, inputs, leftOut, warnings } = report
  const facts: [string, string][] = [
    [
      'measured',
      `${date.slice(0, 16).replace('T', ' ')} UTC, ${settings.processes} cold processes or ${settings.rounds} rounds a figure, seed ${settings.seed}`,
    ],
    [
      'machine',
      `${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 2 ** 30).toFixed(1)} GiB, Linux ${machine.kernel}, Node ${machine.node}`,
    ],
    [
      'inputs',
      inputs
        .map(
          ({ name, symbols, typeFiles }) =>
            `${name} (${symbols.toLocaleString('en-US')} symbols, ${typeFiles} files of types)`,
        )
        .join(', '),
    ],
    [
      'tools',
      Object.entries(tools)
        .map(([tool, version]) => `${tool}: ${version ?? 'not installed'}`)
        .join(', '),
    ],
    ['figures', 'dot: median; thick bar: quartiles; thin line: all measurements; hover for more. Blue: kerndex.'],
  ]
  for (const [name, text] of facts) if (text !== '') byId('machine').append(make('dt', name), make('dd', text))
  for (const warning of warnings) byId('warnings').append(make('li', warning))
  for (const { suite, input, what, why } of leftOut) {
    const item = make('li', `left out: ${[suite, input, what].filter(Boolean).join(', ')}: ${why}`)
    item.setAttribute('class', 'left-out')
    byId('warnings').append(item)
  }
}

function everyRow(): Element {
  const head = make(
    'tr',
    '',
    ...['suite', 'input', 'what', 'by', 'median', 'quartiles', 'n', 'ratio', 'note'].map((name) => make('th', name)),
  )
  const number = (text: string) => {
    const cell = make('td', text)
    cell.setAttribute('class', 'number')
    return cell
  }
  const lines = report.rows.map((row) =>
    make(
      'tr',
      '',
      ...[row.suite, row.input, row.what, row.by].map((text) => make('td', text)),
      number(`${figure(row.median)} ${row.unit}`),
      number(`${figure(row.low)} – ${figure(row.high)}`),
      number(String(row.n)),
      make('td', row.ratio === undefined ? '' : `${figure(row.ratio)} × ${row.yardstick}`),
      make('td', row.note ?? ''),
    ),
  )
  return make('details', '', make('summary', `${report.rows.length} rows`), make('table', '', head, ...lines))
}

describe()
if (changes !== undefined) {
  const figures =
    changes.rows.length === 0
      ? [make('p', 'The two runs have no row in common.')]
      : grouped(changes.rows, ({ suite }) => suite).map(([suite, rows]) => change(suite, rows))
  section(
    'change',
    `Against the run of ${changes.date.slice(0, 16).replace('T', ' ')} UTC: by the ratio to the yardstick where there is one, else by the median. Grey: the quartiles of both runs overlap.`,
    figures,
  )
}
for (const [suite, rows] of grouped(report.rows, (row) => row.suite)) {
  const draw = suite === 'scale' ? growth : comparison
  section(
    suite,
    ABOUT[suite] ?? '',
    grouped(rows, ({ what }) => what).map(([what, some]) => draw(what, some)),
  )
}
section('all rows', '', [everyRow()])
