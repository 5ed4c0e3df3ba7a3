// Small pieces that all views are made of. Names are what others made them: they are text, with everything escaped that is not
// for the eye.

import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { printable, printableLines } from '../core/printable.ts'
import type { TypeRef } from '../serve/answers.ts'
import { routeTo } from './route.ts'

/** A name, as text. */
export function Name({ of }: { readonly of: string }) {
  return <bdi class="name">{printable(of)}</bdi>
}

const KEYWORDS: Readonly<Record<string, string>> = {
  STRUCT: 'struct ',
  UNION: 'union ',
  ENUM: 'enum ',
  ENUM64: 'enum ',
}

/** How C calls a type. */
export function typeWords({ kind, name }: Pick<TypeRef, 'kind' | 'name'>): string {
  return `${KEYWORDS[kind] ?? ''}${name === '' ? '(no name)' : name}`
}

export function typeHref(
  table: string,
  { module, id, kind, name }: TypeRef,
  query: Readonly<Record<string, string>> = {},
): string {
  // A name leads to the same type in other builds; a number only where there is no name.
  const by =
    name === ''
      ? { id: String(id), module }
      : { kind: kind === 'STRUCT' ? '' : kind, module: module === 'vmlinux' ? '' : module }
  return routeTo(table, 'type', name, { ...by, ...query })
}

/** A symbol's address in the page: by name where it has a plain one, and where it is one of several, by its place. */
export function symbolHref(table: string, name: string, owner: string, address?: string): string {
  return routeTo(table, 'symbol', name, { owner: owner === 'vmlinux' ? '' : owner, address })
}

export function SymbolLink(props: { table: string; name: string; owner: string; address?: string | undefined }) {
  const { table, name, owner, address } = props
  return (
    <a href={symbolHref(table, name, owner, address)}>
      <Name of={name} />
    </a>
  )
}

/** A declaration in which the type's name leads to the type. */
export function Declaration(props: { table: string; text: string; refs: readonly TypeRef[] }) {
  const { table, text, refs } = props
  const parts: ComponentChildren[] = []
  const words = text.split(/([A-Za-z_$][\w$]*)/)
  const keyword = /^(?:struct|union|enum|const|volatile)$/
  words.forEach((word, i) => {
    const ref = i % 2 === 1 && !keyword.test(word) ? refs.find(({ name }) => name === word) : undefined
    // A member may have its type's name: the first is the type.
    const seen = ref !== undefined && words.slice(0, i).includes(word)
    if (ref === undefined || seen) parts.push(printable(word))
    else
      parts.push(
        <a href={typeHref(table, ref)} key={i}>
          {printable(word)}
        </a>,
      )
  })
  return <code class="declaration">{parts}</code>
}

/** A number of bytes, in words of three digits. */
export function bytes(count: number): string {
  if (count < 1024) return `${count} B`
  const units = ['KiB', 'MiB', 'GiB', 'TiB']
  let value = count
  let unit = -1
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${value.toPrecision(3)} ${units[unit]}`
}

export function number(value: number): string {
  return value.toLocaleString('en-US')
}

/** A number of things, in words: `1 hole`, `2 holes`. */
export function counted(count: number, what: string): string {
  return `${number(count)} ${what}${count === 1 ? '' : 's'}`
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`
}

/** A line to copy. */
export function Copyable({ text, label }: { readonly text: string; readonly label: string }) {
  const [state, setState] = useState('copy')
  const copy = () => {
    copyText(text).then(
      () => setState('copied'),
      () => setState('not copied'),
    )
    setTimeout(() => setState('copy'), 1500)
  }
  return (
    <div class="copyable">
      <code>{printable(text)}</code>
      <button type="button" onClick={copy} aria-label={`copy ${label}`}>
        {state}
      </button>
    </div>
  )
}

/** Pages that are not of this machine have no clipboard: the old way works there. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text)
  const field = document.createElement('textarea')
  field.value = text
  document.body.append(field)
  field.select()
  document.execCommand('copy')
  field.remove()
}

/** A row of links that choose a part of a view. */
export function Tabs(props: {
  readonly of: readonly (readonly [key: string, words: string, href: string])[]
  readonly now: string
  readonly label: string
}) {
  return (
    <nav class="tabs" aria-label={props.label}>
      {props.of.map(([key, words, href]) => (
        <a key={key} href={href} aria-current={key === props.now ? 'page' : undefined}>
          {words}
        </a>
      ))}
    </nav>
  )
}

/** The words where there is nothing to show yet, or why there will not be. */
export function Waiting({ error }: { readonly error: string | undefined }) {
  if (error === undefined) return <p class="quiet waiting">…</p>
  return <Failure error={error} />
}

/** The same for a whole view, which then has a title and leads on: to a search for the name that was asked for. */
export function WaitingView(props: { table: string; title: string; name?: string; error: string | undefined }) {
  const { table, title, name = '', error } = props
  if (error === undefined) return <Waiting error={undefined} />
  return (
    <article>
      <header class="head">
        <h1>{printable(title)}</h1>
      </header>
      <Failure error={error} />
      <p>
        <a href={routeTo(table, 'search', '', { q: name })}>search{name !== '' && ` for ${printable(name)}`}</a>
      </p>
    </article>
  )
}

function Failure({ error }: { readonly error: string }) {
  return (
    <p class="failure" role="alert">
      {printable(error)}
    </p>
  )
}

/** What the words of an axis are, by their place in per cent: narrow windows leave some out. */
export const AXIS = { 0: 'first', 25: 'between', 50: 'middle', 75: 'between', 100: 'last' } as const

/** A bar whose length is a share, with its words. */
export function Bar({ share, kind }: { readonly share: number; readonly kind: string }) {
  return (
    <span class="bar" aria-hidden="true">
      <span class={`fill kind-${kind}`} style={{ width: `${Math.max(0.3, 100 * share)}%` }} />
    </span>
  )
}

/** Text that keeps its lines, in a frame that scrolls. */
export function Lines({ text, label }: { readonly text: string; readonly label: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to by keyboard too
    <section class="lines" tabIndex={0} aria-label={label}>
      <pre>{printableLines(text)}</pre>
    </section>
  )
}
