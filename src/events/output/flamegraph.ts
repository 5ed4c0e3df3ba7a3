// A profile as a flame graph: one HTML file that holds its data and its code (d3, d3-flame-graph) and needs no network.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Profile } from '../../stacks/profile.ts'

const require = createRequire(import.meta.url)

const d3 = dirname(require.resolve('d3'))
const library = dirname(require.resolve('d3-flame-graph'))

/** A file beside what an installed package exports. */
function packageFile(folder: string, file: string): string {
  return readFileSync(join(folder, file), 'utf8')
}

/** The HTML of a profile. Every frame's width is its share of the whole; a click zooms, the field searches. */
export function flameGraphHtml(profile: Profile, title: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${escapeHtml(title)}</title>
<style>
${packageFile(library, 'd3-flamegraph.css')}
body { font: 14px system-ui, sans-serif; margin: 1em; }
#details { min-height: 1.4em; }
</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<p><input id="search" type="search" placeholder="search frames" aria-label="search frames">
<button id="reset" type="button">reset zoom</button> <span id="details"></span></p>
<div id="graph"></div>
<script>${packageFile(d3, 'd3.min.js')}</script>
<script>${packageFile(library, 'd3-flamegraph.umd.min.js')}</script>
<script id="profile" type="application/json">${scriptSafe(profileJson(profile, 'all'))}</script>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`
}

/** Frames once, then each stack as their numbers: the tree is built in the page, whatever its depth. */
function profileJson(profile: Profile, root: string): string {
  const numbers = new Map<string, number>()
  const stacks: (readonly [readonly number[], string])[] = []
  for (const [stack, weight] of profile.sorted()) {
    const frames: number[] = []
    for (const frame of stack.split(';')) {
      const number = numbers.get(frame) ?? numbers.size
      numbers.set(frame, number)
      frames.push(number)
    }
    stacks.push([frames, String(weight)])
  }
  return JSON.stringify({ root, frames: [...numbers.keys()], stacks })
}

/** What the page does: a tree of the stacks, totals upward, drawn by the library. */
const PAGE_SCRIPT = `
const { root, frames, stacks } = JSON.parse(document.getElementById('profile').textContent)
const node = (name) => ({ name, value: 0, children: [], byFrame: new Map() })
const tree = node(root)
for (const [numbers, text] of stacks) {
  const weight = Number(text)
  let at = tree
  at.value += weight
  for (const number of numbers) {
    let child = at.byFrame.get(number)
    if (child === undefined) {
      child = node(frames[number])
      at.byFrame.set(number, child)
      at.children.push(child)
    }
    child.value += weight
    at = child
  }
}
const share = (d) => (100 * d.data.value / tree.value).toFixed(2) + ' %'
const label = (d) => d.data.name + ' (' + d.data.value.toLocaleString('en') + ', ' + share(d) + ')'
const chart = flamegraph.default()
  .width(Math.max(600, document.body.clientWidth))
  .cellHeight(18)
  .transitionDuration(200)
  .minFrameSize(1)
  .sort(true)
  .title('')
  .setLabelHandler(label)
  .setDetailsElement(document.getElementById('details'))
d3.select('#graph').datum(tree).call(chart)
document.getElementById('search').addEventListener('input', (event) => {
  if (event.target.value === '') chart.clear()
  else chart.search(event.target.value)
})
document.getElementById('reset').addEventListener('click', () => chart.resetZoom())
`

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

/** JSON that cannot end the script element it stands in. */
function scriptSafe(json: string): string {
  return json.replaceAll('<', '\\u003c')
}
