// The page of a run in a real browser without a network: every chart is there with every row, and the change against another run.

import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pageOf } from '../../bench/lib/page.ts'
import { report, row } from './rows.ts'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const present = existsSync(CHROMIUM)
if (!present) console.warn(`the browser test is skipped: ${CHROMIUM} is not there (CHROMIUM names another)`)

const compared = { yardstick: 'plain read', ratio: 1.25, ratioLow: 1.2, ratioHigh: 1.3 }
const rows = [
  row({ ...compared, note: '</script><b id="injected">' }),
  row({ ...compared, by: 'readline + Map', median: 500, low: 480, high: 520, min: 470, max: 600, ratio: 10 }),
  row({ input: 'capture', median: 5, low: 4.9, high: 5.1, min: 4, max: 6 }),
  row({ suite: 'lookups', what: 'random', unit: 'M/s', median: 42 }),
  ...[1, 2.5, 10, 40].flatMap((size) =>
    ['kerndex inline', 'split + Map'].map((by, i) =>
      row({
        suite: 'scale',
        input: `synthetic-${size}`,
        what: 'load',
        by,
        symbols: size * 100_000,
        median: size * 50 * (i + 1),
      }),
    ),
  ),
]
const earlier = [
  row({ ...compared, ratio: 2.5, ratioLow: 2.4, ratioHigh: 2.6 }),
  row({ suite: 'lookups', what: 'random', unit: 'M/s', median: 42 }),
]

describe.skipIf(!present)('in Chromium', () => {
  let browser: Browser
  let page: Page
  const requests: string[] = []
  const errors: string[] = []
  beforeAll(async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'kerndex-page-')), 'page.html')
    const run = report(rows, {
      warnings: ['the load average was 3'],
      leftOut: [{ suite: 'tools', input: 'live', what: 'perf', why: 'not <installed>' }],
    })
    writeFileSync(file, pageOf(run, report(earlier)))
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
    page = await (await browser.newContext({ offline: true, viewport: { width: 1280, height: 900 } })).newPage()
    page.on('request', (request) => requests.push(request.url()))
    page.on('pageerror', (error) => errors.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text())
    })
    await page.goto(pathToFileURL(file).href)
    await page.waitForSelector('#all-rows')
  })
  afterAll(() => browser?.close())

  /** The texts of all elements that a selector finds. */
  const texts = (selector: string) => page.locator(selector).allTextContents()

  it('loads nothing but itself and breaks nowhere', () => {
    expect(errors).toEqual([])
    expect(requests).toHaveLength(1)
  })

  it('has a section a suite, the change first', async () => {
    expect(await texts('h2')).toEqual(['change', 'load', 'lookups', 'scale', 'all rows'])
    expect(await texts('figure > h3')).toEqual(['load', 'lookups', 'load symbols', 'random', 'load'])
  })

  it('draws a dot a row at its place', async () => {
    expect(await page.locator('.median circle').count()).toBe(rows.length)
    const figures = await page
      .locator('figure', { has: page.locator('h3', { hasText: 'load symbols' }) })
      .locator('.median circle')
      .all()
    const places = await Promise.all(figures.map(async (dot) => (await dot.boundingBox())?.x ?? 0))
    const titles = await Promise.all(figures.map((dot) => dot.textContent()))
    const placeOf = (words: string) => places[titles.findIndex((title) => title?.includes(words))]!
    expect(placeOf('median 5.00 ms')).toBeLessThan(placeOf('median 50.0 ms'))
    expect(placeOf('median 50.0 ms')).toBeLessThan(placeOf('median 500 ms'))
    // From 5 to 50 is as far as from 50 to 500 where costs grow.
    expect(placeOf('median 500 ms') - placeOf('median 50.0 ms')).toBeCloseTo(
      placeOf('median 50.0 ms') - placeOf('median 5.00 ms'),
      0,
    )
  })

  it('says units, ratios and contestants in words', async () => {
    const words = (await texts('figure svg text')).join('\n')
    for (const expected of [
      'kerndex inline',
      'readline + Map',
      '500 ms   10.0 × plain read',
      'capture',
      '100k',
      '4M',
    ]) {
      expect(words).toContain(expected)
    }
    expect(words).toMatch(/ms, logarithmic \(less is better\)/)
    expect(words).toMatch(/M\/s \(more is better\)/)
  })

  it('shows what changed, and in which direction', async () => {
    expect(await page.locator('.change circle').count()).toBe(earlier.length)
    const [better, same] = await texts('.change circle title')
    expect(better).toBe('ratio: 2.50 before, 1.25 now\nbetter')
    expect(same).toBe('median: 42.0 before, 42.0 now\nwithin the spread')
  })

  it('shows what cannot be trusted and what was left out', async () => {
    expect(await texts('#warnings li')).toEqual([
      'the load average was 3',
      'left out: tools, live, perf: not <installed>',
    ])
  })

  it('takes text for text', async () => {
    expect(await page.locator('#injected').count()).toBe(0)
    expect(await page.textContent('h1')).toBe('kerndex 1.2.3 on A processor <&>')
  })

  it('holds all rows in a table', async () => {
    expect(await page.locator('details tr').count()).toBe(rows.length + 1)
  })

  it('has nothing wider than the window', async () => {
    const width = await page.evaluate('document.documentElement.scrollWidth')
    expect(width).toBeLessThanOrEqual(1280)
  })

  it.each(['light', 'dark'] as const)('can be read in %s', async (colorScheme) => {
    await page.emulateMedia({ colorScheme })
    const [ink, ground] = await page.evaluate<[string, string]>(
      '[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]',
    )
    const brightness = (color: string) =>
      (color.match(/\d+/g) ?? []).slice(0, 3).reduce((sum, part) => sum + Number(part), 0)
    expect(Math.abs(brightness(ink!) - brightness(ground!))).toBeGreaterThan(400)
    expect(brightness(ground!) > brightness(ink!)).toBe(colorScheme === 'light')
  })
})
