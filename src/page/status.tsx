// What was loaded, how long each part took, what is missing and how to mend it.

import { useState } from 'preact/hooks'
import { printable } from '../core/printable.ts'
import type { StatusAnswer } from '../serve/answers.ts'
import { tablePath, useAsked } from './api.ts'
import { go, routeTo, type ViewProps } from './route.ts'
import { AXIS, Bar, bytes, counted, number, WaitingView } from './words.tsx'

export function StatusView(props: ViewProps) {
  const { table, version } = props
  const { answer, error } = useAsked<StatusAnswer>(tablePath(table, 'status', {}), version)
  if (answer === undefined) return <WaitingView table={table} title="Status" error={error} />
  const { table: about, symbols, types } = answer
  const rows: readonly (readonly [string, string | null])[] = [
    ['source', about.source],
    ['release', about.release],
    ['build id', about.buildId],
    ['boot', about.bootId],
    ['generation', String(about.generation)],
    ['symbols', `${number(symbols.count)} of ${counted(symbols.owners, 'owner')}, ${bytes(symbols.bytes)}`],
    ['types', `${number(types.count)} in ${counted(types.sets, 'set')}`],
    ['names', `${number(symbols.aliases)} aliases, ${number(symbols.repeatedNames)} repeated`],
  ]
  return (
    <article>
      <header class="head">
        <h1>Status</h1>
        <p class="facts">
          symbols ready in {answer.readyMs.toFixed(1)} ms
          {answer.typesMs !== null && `, types in ${answer.typesMs.toFixed(1)} ms`}
          {answer.threads > 0 ? `, ${counted(answer.threads, 'thread')}` : ', no threads'}
          {answer.provisional && ' · from the cache, not checked yet'}
        </p>
      </header>
      {about.failure !== null && (
        <p class="failure" role="alert">
          {printable(about.failure)}
        </p>
      )}
      <Timeline answer={answer} />
      <div class="columns">
        <section>
          <h2>What it is</h2>
          <table class="rows">
            <caption class="unseen">facts</caption>
            <tbody>
              {rows.map(([words, value]) => (
                <tr key={words}>
                  <th scope="row">{words}</th>
                  <td class="breaks">{value === null ? <span class="quiet">not known</span> : printable(value)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <Counts title="Symbols by type" counts={symbols.byType} kind="text" />
          <Counts title="Types by kind" counts={types.byKind} kind="data" />
        </section>
        <section>
          <Missing answer={answer} />
          <Modules {...props} answer={answer} />
        </section>
      </div>
    </article>
  )
}

const WORKS = ['start', 'read', 'parse', 'gather', 'merge', 'index'] as const

/** The load as a picture: a row for each thread and kind of work, time from left to right. */
function Timeline({ answer }: { readonly answer: StatusAnswer }) {
  const { spans } = answer
  const total = Math.max(answer.readyMs, ...spans.map(({ end }) => end), 0.1)
  const threads = [...new Set(spans.map(({ thread }) => thread))].sort((a, b) => a - b)
  const rows = threads.flatMap((thread) =>
    WORKS.map((work) => ({
      thread,
      work,
      own: spans.filter((span) => span.thread === thread && span.work === work),
    })).filter(({ own }) => own.length > 0),
  )
  if (rows.length === 0) return <p class="quiet">Nothing was loaded piece by piece: it came from a snapshot.</p>
  return (
    <section aria-label="timeline">
      <h2>Where the time went</h2>
      <table class="timeline">
        <caption class="unseen">milliseconds by thread and kind of work</caption>
        <tbody>
          {rows.map(({ thread, work, own }) => (
            <tr key={`${thread} ${work}`}>
              <th scope="row">
                {thread === 0 ? 'main' : `thread ${thread}`} {work}
              </th>
              <td class="track">
                <div class="spans" aria-hidden="true">
                  {own.map(({ start, end, what }, i) => (
                    <span
                      key={`${what} ${i}`}
                      class={`span w-${work}`}
                      style={{
                        left: `${(100 * start) / total}%`,
                        width: `max(1px, ${(100 * (end - start)) / total}%)`,
                      }}
                      title={printable(`${what}: ${(end - start).toFixed(2)} ms`)}
                    />
                  ))}
                </div>
              </td>
              <td class="number">{covered(own).toFixed(1)} ms</td>
            </tr>
          ))}
        </tbody>
      </table>
      <div class="axis" aria-hidden="true">
        {([0, 50, 100] as const).map((at) => (
          <span key={at} style={{ left: `${at}%` }} class={AXIS[at]}>
            {((total * at) / 100).toFixed(0)} ms
          </span>
        ))}
      </div>
    </section>
  )
}

/** Milliseconds that spans cover, no moment twice. */
function covered(spans: StatusAnswer['spans']): number {
  let sum = 0
  let last = 0
  for (const { start, end } of [...spans].sort((a, b) => a.start - b.start)) {
    sum += Math.max(0, end - Math.max(start, last))
    last = Math.max(last, end)
  }
  return sum
}

function Counts({
  title,
  counts,
  kind,
}: {
  readonly title: string
  readonly counts: Readonly<Record<string, number>>
  readonly kind: string
}) {
  const rows = Object.entries(counts).sort((a, b) => b[1] - a[1])
  const most = rows[0]?.[1] ?? 1
  if (rows.length === 0) return null
  return (
    <>
      <h2>{title}</h2>
      <ul class="sizes">
        {rows.map(([words, count]) => (
          <li key={words}>
            <span class="what">{printable(words)}</span>
            <Bar share={count / most} kind={kind} />
            <span class="number">{number(count)}</span>
          </li>
        ))}
      </ul>
    </>
  )
}

function Missing({ answer }: { readonly answer: StatusAnswer }) {
  const { absences, failures, symbols } = answer
  const none = absences.length === 0 && failures.length === 0 && symbols.skipped === 0
  return (
    <>
      <h2>Not available</h2>
      {none && <p>Nothing is missing.</p>}
      <ul class="absences">
        {absences.map(({ what, reason, mend }) => (
          <li key={what}>
            <b>{printable(what)}</b>: {printable(reason)}
            {mend !== null && <span class="mend">{mend}</span>}
          </li>
        ))}
        {failures.map(({ module, reason }) => (
          <li key={module}>
            <b>types of {printable(module)}</b>: {printable(reason)}
          </li>
        ))}
        {symbols.skipped > 0 && (
          <li>
            <b>{counted(symbols.skipped, 'line')}</b> without a symbol:{' '}
            {symbols.skippedLines
              .slice(0, 8)
              .map(({ line, reason }) => `${line} (${reason})`)
              .join(', ')}
          </li>
        )}
      </ul>
    </>
  )
}

const MOST_MODULES = 1000

function Modules({ route, table, answer }: ViewProps & { readonly answer: StatusAnswer }) {
  const [text, setText] = useState('')
  const { modules } = answer
  const only = route.query.types ?? ''
  if (modules === null) return null
  const shown = modules.filter(({ name, types }) => name.includes(text) && (only === '' || types === (only === 'with')))
  const without = modules.filter(({ types }) => !types).length
  return (
    <>
      <h2>
        Modules <span class="quiet">{modules.length}</span>
      </h2>
      <div class="tools">
        <input
          type="search"
          aria-label="filter modules"
          placeholder="filter"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <label>
          <span class="unseen">types</span>
          <select
            value={only}
            onChange={(event) => go(routeTo(table, 'status', '', { types: event.currentTarget.value }))}
          >
            <option value="">all</option>
            <option value="with">{modules.length - without} with types</option>
            <option value="without">{without} without types</option>
          </select>
        </label>
      </div>
      <table class="rows">
        <caption class="unseen">modules</caption>
        <thead>
          <tr>
            <th scope="col">module</th>
            <th scope="col" class="number">
              size
            </th>
            <th scope="col" class="number">
              symbols
            </th>
            <th scope="col">types</th>
          </tr>
        </thead>
        <tbody>
          {shown.slice(0, MOST_MODULES).map(({ name, size, state, symbols, types }) => (
            <tr key={name}>
              <th scope="row">
                <a href={routeTo(table, 'search', '', { q: `${name}:` })}>
                  <bdi>{printable(name)}</bdi>
                </a>
                {state !== 'Live' && <span class="quiet"> {printable(state)}</span>}
              </th>
              <td class="number">{bytes(size)}</td>
              <td class="number">{number(symbols)}</td>
              <td>{types ? 'yes' : 'no'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  )
}
