// A struct drawn to scale: a row for each cache line, members as wide as their bytes, holes and padding hatched, and a table of the
// same for those who read.

import { useEffect } from 'preact/hooks'
import { printable } from '../core/printable.ts'
import type { LayoutAnswer, MemberAnswer } from '../serve/answers.ts'
import { counted, Declaration, hex, number } from './words.tsx'

const LINE = 64
/** Lines in one member from which on only the first and the last are drawn. */
const LONG_RUN = 3
/** Lines that are drawn: more is no picture. */
const MOST_LINES = 512

/** A piece of the picture: bits [from, to). */
interface Piece {
  readonly from: number
  readonly to: number
  readonly name: string
  /** The member at the top that it belongs to. */
  readonly top: string
  readonly kind: 'member' | 'bits' | 'union' | 'hole'
}

/** The parts that fill a struct, in order. Structs without a name are what is in them; unions are one piece. */
export function piecesOf(layout: LayoutAnswer): Piece[] {
  const pieces: Piece[] = []
  if (layout.kind === 'UNION') {
    pieces.push({ from: 0, to: layout.size * 8, name: unionWords(layout), top: '', kind: 'union' })
    return pieces
  }
  collect(layout, '', pieces)
  pieces.sort((a, b) => a.from - b.from || a.to - b.to)
  const filled: Piece[] = []
  let at = 0
  for (const piece of pieces) {
    if (piece.from > at) filled.push(hole(at, piece.from, 'hole'))
    filled.push(piece)
    at = Math.max(at, piece.to)
  }
  if (at < layout.size * 8) filled.push(hole(at, layout.size * 8, 'padding'))
  return filled
}

function hole(from: number, to: number, name: string): Piece {
  const bits = to - from
  return {
    from,
    to,
    name: bits % 8 === 0 ? `${name} ${bits / 8}` : `${name} ${counted(bits, 'bit')}`,
    top: '',
    kind: 'hole',
  }
}

function collect({ members }: LayoutAnswer, top: string, pieces: Piece[]): void {
  for (const member of members) {
    const { name, offset, size, bitfield, nested } = member
    const own = top === '' ? name : top
    if (nested?.kind === 'STRUCT' && name === '') collect(nested, top, pieces)
    else if (bitfield !== undefined) {
      const from = offset * 8 + bitfield.offset
      pieces.push({ from, to: from + bitfield.bits, name: name === '' ? ':' : name, top: own, kind: 'bits' })
    } else if (size > 0) {
      const kind = nested?.kind === 'UNION' ? 'union' : 'member'
      const words = nested?.kind === 'UNION' && name === '' ? unionWords(nested) : name
      pieces.push({
        from: offset * 8,
        to: (offset + size) * 8,
        name: words,
        top: own === '' ? firstName(nested) : own,
        kind,
      })
    }
  }
}

function firstName(nested: LayoutAnswer | undefined): string {
  const [first] = nested?.members ?? []
  return first === undefined ? '' : first.name === '' ? firstName(first.nested) : first.name
}

function unionWords({ members }: LayoutAnswer): string {
  return members
    .map(({ name, nested }) => (name === '' && nested !== undefined ? unionWords(nested) : name))
    .join(' | ')
}

interface PictureProps {
  readonly layout: LayoutAnswer
  readonly name: string
  /** The member that is pointed at. */
  readonly near: string
  readonly onNear: (member: string) => void
}

/** The picture. What it shows stands in the table below as words. */
export function LayoutPicture({ layout, name, near, onNear }: PictureProps) {
  const pieces = piecesOf(layout)
  const lines = Math.ceil(layout.size / LINE)
  const rows: { readonly line: number; readonly skipped: number }[] = []
  let first = 0
  for (let line = 0; line < lines && rows.length < MOST_LINES; line++) {
    while (first < pieces.length && pieces[first]!.to <= line * LINE * 8) first++
    const within = pieces[first]
    // Lines within one member look alike.
    const last = within === undefined ? line : Math.floor(within.to / 8 / LINE) - 1
    if (within !== undefined && within.from <= line * LINE * 8 && last - line >= LONG_RUN) {
      rows.push({ line, skipped: 0 }, { line: line + 1, skipped: last - line - 1 })
      line = last - 1
    } else rows.push({ line, skipped: 0 })
  }
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to by keyboard too
    <section class="layout" tabIndex={0} aria-label={`${printable(name)} by cache line; the table below says the same`}>
      {rows.map(({ line, skipped }) =>
        skipped > 0 ? (
          <p class="skipped quiet" key={line}>
            {number(skipped)} more lines of the same
          </p>
        ) : (
          <div class="line" key={line}>
            <span class="at">{line * LINE}</span>
            <div class="strip">
              {pieces
                .filter(({ from, to }) => to > line * LINE * 8 && from < (line + 1) * LINE * 8)
                .map((piece) => (
                  <PieceBox key={`${piece.from} ${piece.name}`} piece={piece} line={line} near={near} onNear={onNear} />
                ))}
              {layout.size < (line + 1) * LINE && <Beyond from={layout.size - line * LINE} />}
            </div>
          </div>
        ),
      )}
    </section>
  )
}

function PieceBox({
  piece,
  line,
  near,
  onNear,
}: {
  piece: Piece
  line: number
  near: string
  onNear: (member: string) => void
}) {
  const start = line * LINE * 8
  const from = Math.max(piece.from, start) - start
  const to = Math.min(piece.to, start + LINE * 8) - start
  const isNear = near !== '' && piece.top === near
  const where = `${piece.name}: bytes ${Math.floor(piece.from / 8)} to ${Math.ceil(piece.to / 8) - 1}`
  const show = () => {
    if (piece.top === '') return
    onNear(piece.top)
    document.getElementById(`m-${piece.top}`)?.scrollIntoView({ block: 'center' })
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the table below has the same with links
    // biome-ignore lint/a11y/useKeyWithClickEvents: the table below has the same with links
    <span
      class={`piece p-${piece.kind}${isNear ? ' near' : ''}${piece.from < start ? ' goes-on' : ''}`}
      style={{ left: `${(100 * from) / (LINE * 8)}%`, width: `${(100 * (to - from)) / (LINE * 8)}%` }}
      title={printable(where)}
      onMouseEnter={() => onNear(piece.top)}
      onClick={show}
    >
      {printable(piece.name)}
    </span>
  )
}

/** What lies behind the struct in its last line. */
function Beyond({ from }: { readonly from: number }) {
  return <span class="beyond" style={{ left: `${(100 * from) / LINE}%`, right: '0' }} />
}

interface RowsProps {
  readonly table: string
  readonly layout: LayoutAnswer
  readonly near: string
  readonly onNear: (member: string) => void
  readonly chosen: string | undefined
}

/** The members with offsets, sizes, holes, and links to their types. */
export function MemberRows({ table, layout, near, onNear, chosen }: RowsProps) {
  useEffect(() => {
    if (chosen !== undefined) document.getElementById(`m-${chosen}`)?.scrollIntoView({ block: 'center' })
  }, [chosen])
  return (
    <table class="rows members">
      <caption class="unseen">members</caption>
      <thead>
        <tr>
          <th scope="col">offset</th>
          <th scope="col">size</th>
          <th scope="col">member</th>
        </tr>
      </thead>
      <tbody onMouseLeave={() => onNear(chosen ?? '')}>
        {layout.hole > 0 && <HoleRow words={`hole of ${counted(layout.hole, 'byte')}`} />}
        <Members table={table} layout={layout} depth={0} near={near} onNear={onNear} />
        {layout.padding + layout.bitPadding > 0 && (
          <HoleRow
            words={`padding of ${counted(layout.padding, 'byte')}${layout.bitPadding > 0 ? ` and ${counted(layout.bitPadding, 'bit')}` : ''}`}
          />
        )}
      </tbody>
    </table>
  )
}

function HoleRow({ words }: { readonly words: string }) {
  return (
    <tr class="hole">
      <td />
      <td />
      <td>{words}</td>
    </tr>
  )
}

function Members(props: Omit<RowsProps, 'chosen'> & { readonly depth: number }) {
  const { table, layout, depth, near, onNear } = props
  return (
    <>
      {layout.members.map((member, i) => (
        <MemberRow key={`${member.name} ${i}`} {...{ table, member, depth, near, onNear }} />
      ))}
    </>
  )
}

function MemberRow(props: {
  table: string
  member: MemberAnswer
  depth: number
  near: string
  onNear: (member: string) => void
}) {
  const { table, member, depth, near, onNear } = props
  const { name, declaration, offset, size, bitfield, nested, hole: bytes, bitHole, ref } = member
  const bits = bitfield === undefined ? '' : `:${bitfield.offset}`
  const width = bitfield === undefined ? number(size) : counted(bitfield.bits, 'bit')
  const holes = [
    ...(bitHole > 0 ? [`hole of ${counted(bitHole, 'bit')}`] : []),
    ...(bytes > 0 ? [`hole of ${counted(bytes, 'byte')}`] : []),
  ]
  return (
    <>
      <tr
        id={name === '' ? undefined : `m-${name}`}
        class={near !== '' && near === name ? 'near' : undefined}
        onMouseEnter={() => name !== '' && onNear(name)}
      >
        <td class="number" title={hex(offset)}>
          {offset}
          {bits}
        </td>
        <td class="number">{width}</td>
        <td class={`depth-${Math.min(depth, 6)}`}>
          <Declaration
            table={table}
            text={bitfield === undefined ? declaration : `${declaration}:${bitfield.bits}`}
            refs={ref === undefined ? [] : [ref]}
          />
        </td>
      </tr>
      {nested !== undefined && <Members table={table} layout={nested} depth={depth + 1} near={near} onNear={onNear} />}
      {holes.map((words) => (
        <HoleRow key={words} words={words} />
      ))}
    </>
  )
}
