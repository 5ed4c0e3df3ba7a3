// A profile as a flame graph: one HTML file that holds its data and its code (d3, d3-flame-graph) and needs no network.

import { readFileSync } from 'node:fs'
import { pageUrl } from '../../core/place.ts'
import { type Profile, profileArgument } from '../../stacks/profile.ts'
import { profileFacts } from '../arguments.ts'
import { type FlameTree, flameTree, growth, growthColour, KINDS, nodeWords, summary } from './flame-tree.ts'
import { scriptSafe, shown, xmlText } from './markup.ts'
import type { Output, ProfileFacts } from './output.ts'

/** The text of a file of another package. */
function packageFile(path: string): string {
  return readFileSync(pageUrl(path), 'utf8')
}

/**
 * The HTML of a profile; of a comparison where an earlier one is given. Every frame's width is its share of the whole; a
 * click zooms, the field searches.
 */
export function flameGraphHtml(profile: Profile, facts: ProfileFacts, earlier?: Profile): string {
  profileArgument(profile, 'profile')
  profileFacts(facts, 'facts')
  if (earlier !== undefined) profileArgument(earlier, 'earlier')
  const { title, weighing } = facts
  const tree = flameTree(profile, weighing, earlier)
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${xmlText(title)}</title>
<style>
${packageFile('d3-flame-graph/dist/d3-flamegraph.css')}
${STYLE}
</style>
</head>
<body>
<header>
<h1>${xmlText(title)}</h1>
<p id="summary">${xmlText(summary(profile, weighing, tree))}</p>
</header>
<div id="tools">
<input id="search" type="search" placeholder="search frames" aria-label="search frames">
<output id="matched" for="search"></output>
<label><input id="icicle" type="checkbox"> icicle</label>
<button id="reset" type="button" disabled>reset zoom</button>
<ul id="legend" aria-label="colours">${legend(tree)}</ul>
</div>
<div id="graph"></div>
<div id="pointer" role="tooltip" hidden></div>
<script>${packageFile('d3/dist/d3.min.js')}</script>
<script>${packageFile('d3-flame-graph/dist/d3-flamegraph.umd.min.js')}</script>
<script id="profile" type="application/json">${scriptSafe(treeJson(tree, profile.unit(weighing)))}</script>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`
}

/** Frames in the tree's order: name, depth, width, colour and what is said of it. Words that repeat are there once. */
function treeJson(tree: FlameTree, unit: string): string {
  const fills = new Map(KINDS.map(([kind, , fill]) => [kind as string, fill]))
  const names: string[] = []
  const numbers = new Map<string, number>()
  const nodes = tree.nodes.map((node) => {
    const name = shown(node.name)
    let number = numbers.get(name)
    if (number === undefined) {
      number = names.push(name) - 1
      numbers.set(name, number)
    }
    const fill = tree.before > 0n ? growthColour(growth(node, tree)) : fills.get(node.kind)
    return [number, node.depth, Number(node.total), fill, shown(nodeWords(node, tree, unit))]
  })
  return JSON.stringify({ names, nodes })
}

function legend(tree: FlameTree): string {
  const item = (fill: string, words: string) => `<li><span style="background:${fill}"></span>${words}</li>`
  if (tree.before > 0n) {
    return (
      item(growthColour(1), 'more than before') + item(growthColour(-1), 'less') + item(growthColour(0), 'the same')
    )
  }
  const there = KINDS.filter(([kind]) => tree.nodes.some((node) => node.depth > 0 && node.kind === kind))
  return there.map(([, words, fill]) => item(fill, words)).join('')
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1b1b1b; --quiet: #5c5c5c; --paper: #fff; --line: #c9c9c9; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --quiet: #a8a8a8; --paper: #1c1d1f; --line: #4a4b4e; } }
body { font: 14px/1.4 system-ui, sans-serif; margin: 0; padding: 12px 16px; color: var(--ink); background: var(--paper); }
h1 { font-size: 18px; margin: 0; overflow-wrap: anywhere; }
#summary { margin: 2px 0 10px; color: var(--quiet); overflow-wrap: anywhere; }
#tools { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 14px; margin-bottom: 8px; }
#search { font: inherit; width: 220px; max-width: 100%; padding: 3px 6px; }
#tools button { font: inherit; }
#matched { color: var(--quiet); min-width: 11ch; }
#legend { display: flex; flex-wrap: wrap; gap: 2px 14px; list-style: none; margin: 0; padding: 0; }
#legend span { display: inline-block; width: 11px; height: 11px; margin-right: 5px; border: 1px solid var(--line); }
#graph { overflow: hidden; }
#graph .d3-flame-graph rect { stroke: var(--paper); fill-opacity: 1; }
#graph .d3-flame-graph-label { font-family: inherit; color: #111; }
#pointer { position: fixed; z-index: 2; max-width: min(600px, 90vw); padding: 4px 8px; border-radius: 3px; overflow-wrap: anywhere; pointer-events: none; background: #111; color: #fff; border: 1px solid #666; }
`

/** What the page does: draws the tree by the library, again when the window changes, with the search that is there. */
const PAGE_SCRIPT = `
const { names, nodes } = JSON.parse(document.getElementById('profile').textContent)
const open = []
for (const [number, depth, value, fill, words] of nodes) {
  const node = { name: names[number], value, fill, words, children: [] }
  open.length = depth
  if (depth > 0) open[depth - 1].children.push(node)
  open.push(node)
}
const root = open[0]
const by = (id) => document.getElementById(id)
const width = () => Math.max(280, by('graph').clientWidth)
const pointer = by('pointer')
const chart = flamegraph.default()
  .width(width())
  .cellHeight(18)
  .transitionDuration(200)
  .minFrameSize(1)
  .sort(true)
  .title('')
  .setLabelHandler((d) => d.data.words)
  .setDetailsHandler(() => {})
  .setSearchMatch((d, term) => d.data.name.includes(term))
  .setSearchHandler((results, sum, total) => {
    by('matched').textContent = total === 0 ? '' : (100 * sum / total).toFixed(2) + ' % found'
  })
  .setColorMapper((d, color) => d.highlight ? '#e600e6' : d.data.fill)
  .onClick((d) => {
    by('reset').disabled = d.depth === 0
    pointer.hidden = true
  })
  // Words come from the page: the library would write the whole label into every frame.
  .tooltip(Object.assign(() => {}, { show() {}, hide() {}, destroy() {} }))
d3.select('#graph').datum(root).call(chart)
const search = () => {
  const { value } = by('search')
  if (value !== '') return chart.search(value)
  by('matched').textContent = ''
  chart.clear()
}
by('search').addEventListener('input', search)
by('reset').addEventListener('click', () => chart.resetZoom())
by('icicle').addEventListener('change', (event) => {
  chart.inverted(event.target.checked)
  chart.update()
})
let drawn = width()
new ResizeObserver(() => {
  if (width() === drawn) return
  drawn = width()
  chart.width(drawn).update()
}).observe(by('graph'))
by('graph').addEventListener('mousemove', (event) => {
  const frame = event.target.closest('g.frame')
  pointer.hidden = frame === null
  if (frame === null) return
  pointer.textContent = d3.select(frame).datum().data.words
  const { offsetWidth, offsetHeight } = pointer
  const left = event.clientX + 12 + offsetWidth > innerWidth ? Math.max(4, innerWidth - offsetWidth - 8) : event.clientX + 12
  const below = event.clientY + 16 + offsetHeight <= innerHeight
  pointer.style.left = left + 'px'
  pointer.style.top = (below ? event.clientY + 16 : event.clientY - offsetHeight - 8) + 'px'
})
by('graph').addEventListener('mouseleave', () => { pointer.hidden = true })
`

export const flamegraph: Output = {
  name: 'flamegraph',
  what: 'a flame graph as one HTML page that needs no network',
  product: 'profile',
  file: true,
  writer: { write: ([profile], facts) => [flameGraphHtml(profile, facts)] },
}
