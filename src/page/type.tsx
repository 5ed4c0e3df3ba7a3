// A type: how it lies in memory, drawn to scale by cache line; its members, who uses it, C and raw, and how it differs elsewhere.

import { useEffect, useState } from 'preact/hooks'
import { printable } from '../core/printable.ts'
import type { DiffAnswer, FunctionList, TypeAnswer, TypeRef, UseList, UsersAnswer } from '../serve/answers.ts'
import { tablePath, useAsked } from './api.ts'
import { LayoutPicture, MemberRows } from './layout.tsx'
import { go, routeTo, type ViewProps } from './route.ts'
import {
  Copyable,
  counted,
  Declaration,
  Lines,
  Name,
  number,
  SymbolLink,
  Tabs,
  typeHref,
  typeWords,
  Waiting,
  WaitingView,
} from './words.tsx'

const PARTS = [
  ['layout', 'Layout'],
  ['users', 'Users'],
  ['c', 'C'],
  ['raw', 'Raw'],
  ['diff', 'Compare'],
] as const

export function TypeView(props: ViewProps) {
  const { route, table, version } = props
  const { module, kind, id } = route.query
  const question = { name: route.name, module, kind, id }
  const { answer, error } = useAsked<TypeAnswer>(tablePath(table, 'type', question), version)
  if (answer === undefined)
    return <WaitingView table={table} title={route.name || 'Type'} name={route.name} error={error} />
  const part = PARTS.find(([key]) => key === route.query.part)?.[0] ?? 'layout'
  const to = (key: string) => routeTo(table, 'type', route.name, { ...route.query, part: key === 'layout' ? '' : key })
  return (
    <article>
      <TypeHead {...props} answer={answer} />
      <Tabs label="parts of the type" now={part} of={PARTS.map(([key, words]) => [key, words, to(key)] as const)} />
      {part === 'layout' && <LayoutPart {...props} answer={answer} />}
      {part === 'users' && <UsersPart {...props} answer={answer} />}
      {part === 'c' && <Lines text={answer.c} label="the definition in C" />}
      {part === 'raw' && <Lines text={answer.raw} label="the record of BTF" />}
      {part === 'diff' && <DiffPart {...props} answer={answer} />}
    </article>
  )
}

interface PartProps extends ViewProps {
  readonly answer: TypeAnswer
}

function TypeHead({ route, table, answer }: PartProps) {
  const { type, size, align, candidates } = answer
  const facts = [
    ...(size === null ? [] : [counted(size, 'byte')]),
    ...(answer.layout === undefined ? [] : [counted(answer.layout.totals.cacheLines, 'cache line')]),
    ...(align === null ? [] : [`aligned to ${align}`]),
    type.module,
  ]
  const choose = (event: { currentTarget: HTMLSelectElement }) => {
    const [of = '', id = '', kind = ''] = event.currentTarget.value.split(' ')
    go(routeTo(table, 'type', route.name, { module: of, id, kind, part: route.query.part }))
  }
  return (
    <header class="head">
      <h1>
        <span class="keyword">{typeWords({ kind: type.kind, name: ' ' }).trim()}</span>{' '}
        <Name of={type.name || '(no name)'} />
      </h1>
      <p class="facts">{facts.map(printable).join(' · ')}</p>
      {candidates.length > 1 && (
        <label class="others">
          one of {candidates.length}
          <select onChange={choose} value={`${type.module} ${type.id} ${type.kind}`}>
            {candidates.map((one) => (
              <option key={`${one.module} ${one.id}`} value={`${one.module} ${one.id} ${one.kind}`}>
                {one.kind.toLowerCase()} in {printable(one.module)} [{one.id}]
              </option>
            ))}
          </select>
        </label>
      )}
    </header>
  )
}

function LayoutPart({ route, table, answer }: PartProps) {
  const { layout, values, of } = answer
  const [near, setNear] = useState(route.query.member ?? '')
  useEffect(() => setNear(route.query.member ?? ''), [route.query.member])
  if (layout !== undefined) {
    const { holes, holeBytes, bitHoles, holeBits, memberBytes, memberBits } = layout.totals
    const sums = [
      counted(layout.totals.members, 'member'),
      `${counted(memberBytes, 'byte')} in them${memberBits > 0 ? ` and ${counted(memberBits, 'bit')}` : ''}`,
      holes === 0 ? 'no holes' : `${counted(holes, 'hole')} of ${counted(holeBytes, 'byte')}`,
      ...(bitHoles > 0 ? [`${counted(bitHoles, 'bit hole')} of ${counted(holeBits, 'bit')}`] : []),
      ...(layout.padding > 0 ? [`${counted(layout.padding, 'byte')} of padding`] : []),
    ]
    return (
      <>
        <p class="facts">{sums.join(' · ')}</p>
        <LayoutPicture layout={layout} near={near} onNear={setNear} name={answer.type.name} />
        <MemberRows table={table} layout={layout} near={near} onNear={setNear} chosen={route.query.member} />
      </>
    )
  }
  if (values !== undefined) {
    return (
      <table class="rows">
        <caption class="unseen">values</caption>
        <tbody>
          {values.map(({ name, value }) => (
            <tr key={name}>
              <th scope="row">
                <Name of={name} />
              </th>
              <td class="number">{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    )
  }
  if (of !== undefined) {
    return (
      <p>
        <Declaration table={table} text={of.declaration} refs={of.ref === undefined ? [] : [of.ref]} />
      </p>
    )
  }
  return <Lines text={answer.c} label="the definition in C" />
}

function UsersPart({ table, answer, version }: PartProps) {
  const { type } = answer
  const path = tablePath(table, 'users', { module: type.module, id: type.id })
  const { answer: users, error } = useAsked<UsersAnswer>(path, version)
  if (users === undefined) return <Waiting error={error} />
  const empty = [users.holds, users.points, users.calls, users.takes, users.returns].every(({ count }) => count === 0)
  return (
    <>
      {users.aliases.length > 0 && <p>also called {users.aliases.map(printable).join(', ')}</p>}
      {empty && <p>Nothing in this kernel's types holds, points to, takes or returns it.</p>}
      <Uses table={table} list={users.holds} title="Held in" />
      <Uses table={table} list={users.points} title="Pointed to from" />
      <Uses table={table} list={users.calls} title="In function pointers of" />
      <Functions table={table} list={users.takes} title="Taken by" />
      <Functions table={table} list={users.returns} title="Returned by" />
    </>
  )
}

function Uses({ table, list, title }: { readonly table: string; readonly list: UseList; readonly title: string }) {
  if (list.count === 0) return null
  return (
    <details open={list.count <= 60}>
      <summary>
        {title} <span class="quiet">{number(list.count)}</span>
      </summary>
      <ul class="uses">
        {list.rows.map((use) => (
          <li key={`${use.module} ${use.id} ${use.member} ${use.offset}`}>
            <a href={typeHref(table, { ...use }, { member: use.member.split(/[.[]/)[0] ?? '' })}>{typeWords(use)}</a>
            .<Name of={use.member} /> <span class="quiet">+{use.offset}</span>
            {use.modules.length > 1 && <span class="quiet"> and in {use.modules.length - 1} more modules</span>}
            {use.module !== 'vmlinux' && <span class="owner"> [{printable(use.module)}]</span>}
          </li>
        ))}
      </ul>
      {list.rows.length < list.count && <p class="quiet">and {number(list.count - list.rows.length)} more</p>}
    </details>
  )
}

function Functions({
  table,
  list,
  title,
}: {
  readonly table: string
  readonly list: FunctionList
  readonly title: string
}) {
  if (list.count === 0) return null
  return (
    <details open={list.count <= 60}>
      <summary>
        {title} <span class="quiet">{number(list.count)}</span>
      </summary>
      <ul class="uses">
        {list.rows.map(({ name, module, prototype }) => (
          <li key={`${module} ${name} ${prototype}`}>
            <SymbolLink table={table} name={name} owner={module} /> <code class="quiet">{printable(prototype)}</code>
            {module !== 'vmlinux' && <span class="owner"> [{printable(module)}]</span>}
          </li>
        ))}
      </ul>
      {list.rows.length < list.count && <p class="quiet">and {number(list.count - list.rows.length)} more</p>}
    </details>
  )
}

function DiffPart({ route, table, tables, answer, version }: PartProps) {
  const others = tables.tables.filter(({ key }) => key !== table)
  const other = route.query.with ?? others[0]?.key ?? ''
  const { type } = answer
  const path = other === '' ? '' : tablePath(table, 'diff', { module: type.module, id: type.id, with: other })
  const { answer: diff, error } = useAsked<DiffAnswer>(path, version)
  if (others.length === 0) {
    return (
      <>
        <p>There is no other kernel to compare with. Start the server with several:</p>
        <Copyable text="kerndex serve --from live other=CAPTURE" label="the command" />
      </>
    )
  }
  const choose = (event: { currentTarget: HTMLSelectElement }) =>
    go(routeTo(table, 'type', route.name, { ...route.query, with: event.currentTarget.value }))
  return (
    <>
      <label class="others">
        compared with
        <select value={other} onChange={choose}>
          {others.map(({ key, release }) => (
            <option key={key} value={key}>
              {printable(key)} {release === null ? '' : printable(release)}
            </option>
          ))}
        </select>
      </label>
      {diff === undefined ? <Waiting error={error} /> : <Difference diff={diff} type={type} here={table} />}
    </>
  )
}

function Difference({
  diff,
  type,
  here,
}: {
  readonly diff: DiffAnswer
  readonly type: TypeRef
  readonly here: string
}) {
  if (!diff.there)
    return (
      <p>
        {printable(diff.with)} has no {printable(typeWords(type))} in {printable(type.module)}.
      </p>
    )
  if (diff.changes.length === 0) return <p>No difference: size, members and their places are the same.</p>
  return (
    <table class="rows diff">
      <caption class="unseen">differences</caption>
      <thead>
        <tr>
          <th scope="col">what</th>
          <th scope="col">{printable(here)}</th>
          <th scope="col">{printable(diff.with)}</th>
        </tr>
      </thead>
      <tbody>
        {diff.changes.flatMap(({ details, change }) =>
          details.map(({ what, name, from, to }, i) => (
            <tr
              key={`${what} ${name} ${i}`}
              class={from === undefined ? 'added' : to === undefined ? 'removed' : change}
            >
              <th scope="row">
                {what} <Name of={name ?? ''} />
              </th>
              <td>{from === undefined ? <span class="quiet">— not there</span> : <code>{printable(from)}</code>}</td>
              <td>{to === undefined ? <span class="quiet">— not there</span> : <code>{printable(to)}</code>}</td>
            </tr>
          )),
        )}
      </tbody>
    </table>
  )
}
