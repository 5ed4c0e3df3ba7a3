// The page with charts: one HTML file that holds a report, an earlier one to compare with, and the code that draws them.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { benchUrl, pageUrl } from '../../src/core/place.ts'
import { changesOf } from './changes.ts'
import type { Report } from './report.ts'

const require = createRequire(import.meta.url)

/** What draws, and its build for browsers by its place beside the package's entry. d3, on which it stands, comes with kerndex. */
const LIBRARY = '@observablehq/plot'
const LIBRARY_FILE = '../dist/plot.umd.min.js'

/**
 * The HTML of a report, and of its change against an earlier one. It needs no network when it is opened.
 * @throws RangeError if the library that draws is not installed, which a harness in an installed package may lack
 */
export function pageOf(report: Report, earlier: Report | undefined): string {
  const data = { report, changes: earlier && { date: earlier.date, rows: changesOf(report, earlier) } }
  const title = `kerndex ${report.kerndex} on ${report.machine.cpu}`
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escapeHtml(title)}</h1>
<dl id="machine"></dl>
<ul id="warnings"></ul>
<nav id="contents"></nav>
</header>
<main id="charts"></main>
<noscript>The charts are drawn by a script in this page.</noscript>
<script>${scriptSafe(readFileSync(pageUrl('d3/dist/d3.min.js'), 'utf8'))}</script>
<script>${libraryFile()}</script>
<script id="data" type="application/json">${scriptSafe(JSON.stringify(data))}</script>
<script type="module">${drawing()}</script>
</body>
</html>
`
}

/**
 * Finds out whether a page can be made, before minutes of measuring.
 * @throws RangeError as `pageOf` does
 */
export function checkLibrary(): void {
  libraryFile()
}

/** The build for browsers of what draws. */
function libraryFile(): string {
  let entry: string
  try {
    entry = require.resolve(LIBRARY)
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND'
    if (!missing) throw error
    throw new RangeError(`the page is drawn by ${LIBRARY}, which is not installed: npm install ${LIBRARY}`)
  }
  return scriptSafe(readFileSync(join(dirname(entry), LIBRARY_FILE), 'utf8'))
}

/** The compiled code of page/charts.ts. */
function drawing(): string {
  return scriptSafe(readFileSync(benchUrl('page/charts'), 'utf8'))
}

/** Text that cannot end the script element it stands in. In JSON and in strings of code `\\/` is `/`. */
function scriptSafe(text: string): string {
  return text.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\u0021--')
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

const STYLE = `
:root { color-scheme: light dark; --faint: light-dark(#667, #99a); --line: light-dark(#dde, #334);
  --ground: light-dark(#fff, #15171c); --ink: light-dark(#1a1c22, #e4e6ec); --panel: light-dark(#f6f7fa, #1d2027);
  --kerndex: light-dark(#2f6fd0, #6ea8ff); --other: light-dark(#8a8f9c, #8f95a3);
  --better: light-dark(#1b8a4b, #4fcf85); --worse: light-dark(#c43d3d, #ff7b72); }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 1.5rem; max-width: 76rem;
  background: var(--ground); color: var(--ink); }
h1 { font-size: 1.5rem; margin: 0 0 .6rem; } h2 { font-size: 1.25rem; margin: 2.4rem 0 .4rem; }
h3 { font-size: 1rem; margin: 0 0 .2rem; font-weight: 600; }
p { color: var(--faint); margin: .2rem 0 .6rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0; }
dt { color: var(--faint); } dd { margin: 0; }
nav { display: flex; flex-wrap: wrap; gap: .4rem 1rem; margin-top: .8rem; }
nav a { color: var(--kerndex); }
figure { margin: 1rem 0; padding: .9rem 1rem; background: var(--panel); border: 1px solid var(--line); border-radius: 8px; }
figure figure { margin: 0; padding: 0; border: 0; }
figure [class*=swatches] { font-size: 13px; }
figure svg { max-width: 100%; overflow: visible; background: transparent; }
#warnings { padding: 0; list-style: none; } #warnings li { border-left: 4px solid var(--worse); padding-left: .7rem; margin: .4rem 0; }
#warnings .left-out { border-color: var(--line); color: var(--faint); }
table { border-collapse: collapse; font-size: .85rem; width: 100%; } th, td { padding: .15rem .6rem .15rem 0; text-align: left;
  border-bottom: 1px solid var(--line); } td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
summary { cursor: pointer; }
`
