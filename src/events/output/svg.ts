// A flame graph as one SVG file: what people attach to tickets. It needs nothing beside itself; where scripts may run it finds
// frames by name and zooms, elsewhere it is a picture whose frames tell their names and shares.

import { type Profile, profileArgument } from '../../stacks/profile.ts'
import { profileFacts } from '../arguments.ts'
import {
  type FlameNode,
  type FlameTree,
  flameTree,
  growth,
  growthColour,
  KINDS,
  nodeWords,
  summary,
} from './flame-tree.ts'
import { xmlText } from './markup.ts'
import type { Output, ProfileFacts } from './output.ts'

const WIDTH = 1200
const ROW = 17
const HEAD = 64
const FOOT = 24
/** Frames narrower than this are not drawn: a picture of a million stacks would be a million rectangles. */
const NARROWEST = 0.1
/** Width of a letter of the labels, about. */
const LETTER = 7

/** The lines of the file. */
export function* flameSvg(profile: Profile, facts: ProfileFacts, earlier?: Profile): Generator<string> {
  profileArgument(profile, 'profile')
  profileFacts(facts, 'facts')
  if (earlier !== undefined) profileArgument(earlier, 'earlier')
  const { title, weighing } = facts
  const tree = flameTree(profile, weighing, earlier)
  const unit = profile.unit(weighing)
  const fills = new Map(KINDS.map(([kind, , fill]) => [kind as string, fill]))
  const height = HEAD + (tree.depth + 1) * ROW + FOOT
  yield `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="Verdana, sans-serif" font-size="12" role="img" aria-label="${xmlText(title)}">
<style>
svg:root { max-width: 100%; height: auto; }
#frames g:hover rect { stroke: #000; stroke-width: 1; }
#frames g { cursor: pointer; }
#frames text { pointer-events: none; }
.found rect { fill: #e600e6 !important; }
#search, #reset, #matched { display: none; }
@media (prefers-color-scheme: dark) {
  svg:root { background: #1c1e20; }
  #ground { fill: #1c1e20; }
  svg > text { fill: #e4e4e4; }
  svg > #search, svg > #reset { fill: #8ab4f8; }
  #frames g:hover rect { stroke: #fff; }
}
</style>
<rect id="ground" width="100%" height="100%" fill="#fff"/>
<text x="${WIDTH / 2}" y="22" text-anchor="middle" font-size="17">${xmlText(title)}</text>
<text x="${WIDTH / 2}" y="40" text-anchor="middle" fill="#555">${xmlText(summary(profile, weighing, tree))}</text>
<text id="reset" x="10" y="22" fill="#0645ad" tabindex="0" role="button">reset zoom</text>
<text id="search" x="${WIDTH - 10}" y="22" text-anchor="end" fill="#0645ad" tabindex="0" role="button">search</text>
<text id="matched" x="${WIDTH - 10}" y="${height - 8}" text-anchor="end"></text>
<text id="details" x="10" y="${height - 8}"> </text>
${legend(tree)}
<g id="frames">
`
  for (const { node, x, width } of placed(tree)) {
    const y = height - FOOT - (node.depth + 1) * ROW
    const fill = tree.before > 0n ? growthColour(growth(node, tree)) : (fills.get(node.kind) ?? '#ccc')
    const room = Math.floor((width - 6) / LETTER)
    const name = node.name.length <= room ? node.name : room < 3 ? '' : `${node.name.slice(0, room - 2)}..`
    yield `<g data-n="${xmlText(node.name)}"><title>${xmlText(nodeWords(node, tree, unit))}</title><rect x="${x.toFixed(2)}" y="${y}" width="${width.toFixed(2)}" height="${ROW - 1}" fill="${fill}" rx="1"/><text x="${(x + 3).toFixed(2)}" y="${y + 12}">${xmlText(name)}</text></g>\n`
  }
  yield `</g>
<script type="text/ecmascript"><![CDATA[${SCRIPT}]]></script>
</svg>
`
}

/** Where the frames that are wide enough stand. */
function* placed(tree: FlameTree): Generator<{ node: FlameNode; x: number; width: number }> {
  /** Where the next frame of each depth begins. */
  const next: number[] = []
  const scale = WIDTH / Math.max(1, Number(tree.total))
  for (const node of tree.nodes) {
    const x = node.depth === 0 ? 0 : (next[node.depth] ?? 0)
    const width = Number(node.total) * scale
    next[node.depth] = x + width
    // What is inside of it begins where it begins.
    next[node.depth + 1] = x
    if (width >= NARROWEST) yield { node, x, width }
  }
}

function legend(tree: FlameTree): string {
  const entries: readonly (readonly [string, string])[] =
    tree.before > 0n
      ? [
          ['more than before', growthColour(1)],
          ['less', growthColour(-1)],
          ['the same', growthColour(0)],
        ]
      : KINDS.filter(([kind]) => tree.nodes.some((node) => node.depth > 0 && node.kind === kind)).map(
          ([, words, fill]) => [words, fill],
        )
  let x = 10
  let text = ''
  for (const [words, fill] of entries) {
    text += `<rect x="${x}" y="48" width="10" height="10" fill="${fill}" stroke="#999" stroke-width="0.5"/><text x="${x + 14}" y="57" font-size="11">${words}</text>`
    x += 30 + words.length * LETTER
  }
  return text
}

/** What the picture does where scripts may run. Positions are those that the file has: a zoom only stretches them. */
const SCRIPT = `
const svg = document.documentElement
const frames = [...document.querySelectorAll('#frames g')].map((g) => {
  const rect = g.querySelector('rect')
  const place = (name) => Number(rect.getAttribute(name))
  return { g, rect, label: g.querySelector('text'), name: g.dataset.n, words: g.querySelector('title').textContent, x: place('x'), width: place('width'), y: place('y') }
})
const whole = frames[0]
const by = (id) => document.getElementById(id)
for (const id of ['search', 'matched']) by(id).style.display = 'block'
const draw = (zoomed) => {
  const scale = whole.width / zoomed.width
  for (const f of frames) {
    const outside = f.y > zoomed.y && f.x <= zoomed.x + 0.005 && f.x + f.width >= zoomed.x + zoomed.width - 0.005
    const x = outside ? 0 : (f.x - zoomed.x) * scale
    const width = outside ? whole.width : f.width * scale
    const seen = outside || (x > -0.01 && x < whole.width && f.y <= zoomed.y)
    f.g.style.display = seen ? '' : 'none'
    f.g.style.opacity = outside && f !== whole ? 0.6 : 1
    if (!seen) continue
    f.rect.setAttribute('x', x)
    f.rect.setAttribute('width', width)
    f.label.setAttribute('x', x + 3)
    const room = Math.floor((width - 6) / ${LETTER})
    f.label.textContent = f.name.length <= room ? f.name : room < 3 ? '' : f.name.slice(0, room - 2) + '..'
  }
  by('reset').style.display = zoomed === whole ? 'none' : 'block'
}
const find = () => {
  const term = prompt('Frames whose names contain:', '')
  if (term === null) return
  const found = []
  for (const f of frames) {
    const hit = term !== '' && f.name.includes(term)
    f.g.classList.toggle('found', hit)
    if (hit) found.push(f)
  }
  let sum = 0
  let end = -1
  // Outermost first: what is inside of a frame that was counted does not count again.
  for (const f of found.sort((a, b) => a.x - b.x || b.width - a.width)) {
    if (f.x < end - 0.005) continue
    sum += f.width
    end = f.x + f.width
  }
  by('matched').textContent = term === '' ? '' : 'matched: ' + (100 * sum / whole.width).toFixed(2) + ' %'
}
for (const f of frames) {
  f.g.addEventListener('click', () => draw(f))
  f.g.addEventListener('mouseover', () => { by('details').textContent = f.words })
  f.g.addEventListener('mouseout', () => { by('details').textContent = ' ' })
}
const press = (id, act) => {
  by(id).addEventListener('click', act)
  by(id).addEventListener('keydown', (event) => { if (event.key === 'Enter') act() })
}
press('search', find)
press('reset', () => draw(whole))
svg.addEventListener('keydown', (event) => { if (event.key === 'f' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); find() } })
`

export const svg: Output = {
  name: 'svg',
  what: 'a flame graph as one picture, with names and shares at its frames, search and zoom',
  product: 'profile',
  file: true,
  writer: { write: ([profile], facts) => flameSvg(profile, facts) },
}
