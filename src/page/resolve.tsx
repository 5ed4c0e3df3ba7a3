// Traces and logs put into words: what was pasted or dropped goes to this server and nowhere else, and comes back as text, as
// stacks, as a flame graph, and in every format that there is.

import { useEffect, useRef, useState } from 'preact/hooks'
import { printable } from '../core/printable.ts'
import type { PutAnswer } from '../serve/answers.ts'
import { ask, askText, useAsked } from './api.ts'
import { go, routeTo, type ViewProps } from './route.ts'
import { counted, Lines, number, Tabs, Waiting } from './words.tsx'

/** Characters of an answer that are shown; all of it can be downloaded. */
const MOST_SHOWN = 2_000_000
const MOST_STACKS = 400

export function ResolveView(props: ViewProps) {
  return props.route.name === '' ? <Paste {...props} /> : <Resolved {...props} />
}

/** A name for what is pasted, which nobody guesses. */
function freshName(file: string | undefined): string {
  const random = [...crypto.getRandomValues(new Uint8Array(6))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
  const base = (file ?? 'pasted').replace(/[^A-Za-z0-9._-]/g, '-').slice(0, 60)
  return `${base}-${random}`
}

function Paste({ table, tables }: ViewProps) {
  const [text, setText] = useState('')
  const [input, setInput] = useState('')
  const [state, setState] = useState<{ busy: boolean; error?: string }>({ busy: false })
  const [over, setOver] = useState(false)
  const file = useRef<HTMLInputElement>(null)
  const send = async (body: Blob | string, of?: string) => {
    setState({ busy: true })
    try {
      const name = freshName(of)
      const words = new URLSearchParams({ table, ...(input !== '' && { input }) })
      await ask<PutAnswer>(`p/${name}?${words}`, { method: 'PUT', body })
      go(routeTo(table, 'resolve', name, { input }))
    } catch (error) {
      setState({ busy: false, error: error instanceof Error ? error.message : String(error) })
    }
  }
  const drop = (event: DragEvent) => {
    event.preventDefault()
    setOver(false)
    const [dropped] = event.dataTransfer?.files ?? []
    if (dropped !== undefined) void send(dropped, dropped.name)
    else setText(event.dataTransfer?.getData('text') ?? '')
  }
  const press = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && text !== '') void send(text)
  }
  return (
    <article>
      <header class="head">
        <h1>Resolve</h1>
        <p class="facts">
          an oops, perf script, bpftrace, ftrace, /proc/PID/stack, pprof, bare addresses · nothing leaves this machine's
          server
        </p>
      </header>
      <form
        class={`paste${over ? ' over' : ''}`}
        onSubmit={(event) => {
          event.preventDefault()
          if (text !== '') void send(text)
        }}
        onDragOver={(event) => {
          event.preventDefault()
          setOver(true)
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        <label class="unseen" for="trace">
          text with stacks or addresses
        </label>
        <textarea
          id="trace"
          spellcheck={false}
          autocapitalize="off"
          rows={14}
          placeholder="paste here, or drop a file"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={press}
        />
        <div class="tools">
          <button type="submit" disabled={state.busy || text === ''}>
            {state.busy ? 'resolving …' : 'Resolve'}
          </button>
          <button type="button" disabled={state.busy} onClick={() => file.current?.click()}>
            choose a file
          </button>
          <input
            ref={file}
            type="file"
            class="unseen"
            tabIndex={-1}
            aria-label="a file with stacks"
            onChange={(event) => {
              const [chosen] = event.currentTarget.files ?? []
              if (chosen !== undefined) void send(chosen, chosen.name)
            }}
          />
          <label>
            format
            <select value={input} onChange={(event) => setInput(event.currentTarget.value)}>
              <option value="">told from its beginning</option>
              {tables.inputs.map(({ name, what }) => (
                <option key={name} value={name} title={what}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <kbd>Ctrl Enter</kbd>
        </div>
        {state.error !== undefined && (
          <p class="failure" role="alert">
            {printable(state.error)}
          </p>
        )}
      </form>
    </article>
  )
}

const PARTS = [
  ['words', 'Words'],
  ['stacks', 'Stacks'],
  ['flames', 'Flame graph'],
] as const

function Resolved({ route, table, tables }: ViewProps) {
  const { name } = route
  const { answer, error } = useAsked<PutAnswer>(`p/${encodeURIComponent(name)}`)
  const { event = '', input } = route.query
  if (answer === undefined) {
    return (
      <>
        {error !== undefined && <h1>{printable(name)}</h1>}
        <Waiting error={error} />
        {error !== undefined && <a href={routeTo(table, 'resolve')}>paste again</a>}
      </>
    )
  }
  const part = PARTS.find(([key]) => key === route.query.part)?.[0] ?? 'words'
  const to = (key: string) => routeTo(table, 'resolve', name, { ...route.query, part: key === 'words' ? '' : key })
  const output = (format: string) => {
    const words = new URLSearchParams({ output: format })
    if (input !== undefined) words.set('input', input)
    if (event !== '') words.set('event', event)
    return `p/${encodeURIComponent(name)}/output?${words}`
  }
  const facts = [
    answer.format ?? 'no format',
    counted(answer.events, 'event'),
    counted(answer.frames - answer.userFrames, 'kernel frame'),
    ...(answer.unresolved > 0 ? [`${number(answer.unresolved)} without a symbol`] : []),
    ...(answer.contradictions > 0 ? [`${number(answer.contradictions)} contradict these symbols`] : []),
    ...(answer.bad > 0 ? [`${counted(answer.bad, 'line')} not understood`] : []),
    `by the symbols of ${answer.table}`,
  ]
  return (
    <article>
      <header class="head">
        <h1>
          <bdi>{printable(name)}</bdi>
        </h1>
        <p class="facts">{facts.map(printable).join(' · ')}</p>
        {answer.profiled.length > 1 && (
          <label class="others">
            event
            <select
              value={event}
              onChange={(change) =>
                go(routeTo(table, 'resolve', name, { ...route.query, event: change.currentTarget.value }))
              }
            >
              {answer.profiled.map((one) => (
                <option key={one} value={one}>
                  {one === '' ? 'without a name' : printable(one)}
                </option>
              ))}
            </select>
          </label>
        )}
      </header>
      <section class="downloads" aria-label="downloads">
        <ul class="names">
          <li class="quiet">download</li>
          {tables.outputs.map(({ name: format, what }) => (
            <li key={format}>
              <a href={output(format)} download={`${name}.${EXTENSIONS[format] ?? 'txt'}`} title={what}>
                {format}
              </a>
            </li>
          ))}
          <li>
            <a href={`p/${encodeURIComponent(name)}/original`} download={name}>
              as it came
            </a>
          </li>
          <li>
            <a href={routeTo(table, 'resolve')}>another text</a>
          </li>
        </ul>
      </section>
      <Tabs label="what is shown" now={part} of={PARTS.map(([key, words]) => [key, words, to(key)] as const)} />
      {part === 'words' && <Words path={output('text')} />}
      {part === 'stacks' && <Stacks path={output('folded')} />}
      {part === 'flames' && (
        <iframe class="flames" title="flame graph" sandbox="allow-scripts" src={output('flamegraph')} />
      )}
    </article>
  )
}

const EXTENSIONS: Readonly<Record<string, string>> = {
  ndjson: 'ndjson',
  flamegraph: 'html',
  svg: 'svg',
  speedscope: 'speedscope.json',
  firefox: 'firefox.json',
  pprof: 'pb.gz',
}

/** Text that the server answers, or why it does not. */
function useText(path: string) {
  const [state, setState] = useState<{ text: string; cut: boolean; error?: string } | undefined>()
  useEffect(() => {
    const control = new AbortController()
    setState(undefined)
    askText(path, MOST_SHOWN, control.signal).then(setState, (error: unknown) => {
      if (!control.signal.aborted)
        setState({ text: '', cut: false, error: error instanceof Error ? error.message : String(error) })
    })
    return () => control.abort()
  }, [path])
  return state
}

function Words({ path }: { readonly path: string }) {
  const state = useText(path)
  if (state === undefined || state.error !== undefined) return <Waiting error={state?.error} />
  return (
    <>
      <Lines text={state.text} label="the text with its addresses in words" />
      {state.cut && <p class="quiet">This is its beginning; the download has all of it.</p>}
    </>
  )
}

function Stacks({ path }: { readonly path: string }) {
  const state = useText(path)
  if (state === undefined || state.error !== undefined) return <Waiting error={state?.error} />
  const rows = state.text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({
      frames: line.slice(0, line.lastIndexOf(' ')).split(';'),
      weight: Number(line.slice(line.lastIndexOf(' ') + 1)),
    }))
    .sort((a, b) => b.weight - a.weight)
  const total = rows.reduce((sum, { weight }) => sum + weight, 0)
  if (rows.length === 0) return <p>There are no stacks in it.</p>
  return (
    <>
      <ol class="stacks">
        {rows.slice(0, MOST_STACKS).map(({ frames, weight }) => (
          <li key={frames.join(';')}>
            <span class="number">
              {number(weight)} <span class="quiet">{((100 * weight) / total).toFixed(1)} %</span>
            </span>
            <span class="frames">
              {[...frames].reverse().map((frame, i) => (
                <bdi key={`${frame} ${i}`}>{printable(frame)}</bdi>
              ))}
            </span>
          </li>
        ))}
      </ol>
      {rows.length > MOST_STACKS && (
        <p class="quiet">and {number(rows.length - MOST_STACKS)} more stacks; the download has all of them</p>
      )}
    </>
  )
}
