// The flame graph in a real browser without a network: it draws every frame, at its share of the width; it zooms and finds.

import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { flameGraphHtml } from '../../src/events/output/flamegraph.ts'
import { Profile } from '../../src/stacks/profile.ts'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const present = existsSync(CHROMIUM)
if (!present) console.warn(`the browser test is skipped: ${CHROMIUM} is not there (CHROMIUM names another)`)

describe.skipIf(!present)('in Chromium', () => {
  let browser: Browser
  let page: Page
  const requests: string[] = []
  const errors: string[] = []
  beforeAll(async () => {
    const profile = new Profile()
    profile.add('main;<work>&"x";read', 60n)
    profile.add('main;<work>&"x"', 15n)
    profile.add('main;idle', 25n)
    const file = join(mkdtempSync(join(tmpdir(), 'kerndex-flames-')), 'flames.html')
    writeFileSync(file, flameGraphHtml(profile, 'a <test>'))
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
    page = await (await browser.newContext({ offline: true, viewport: { width: 1200, height: 800 } })).newPage()
    page.on('request', (request) => requests.push(request.url()))
    page.on('pageerror', (error) => errors.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text())
    })
    await page.goto(pathToFileURL(file).href)
    await page.waitForSelector('.d3-flame-graph g.frame')
    // The library draws in steps; the last step gives every frame its width.
    await page.waitForFunction('document.getAnimations().length === 0')
  })
  afterAll(() => browser?.close())

  /** The frames that are drawn, by name, with their widths as shares of the root's. */
  const drawn = (): Promise<{ name: string; title: string; share: number }[]> =>
    // As text, because the code of the tests knows nothing of a document.
    page.evaluate(`(() => {
      const all = [...document.querySelectorAll('g.frame')].map((frame) => ({
        name: frame.getAttribute('name'),
        title: frame.querySelector('title').textContent,
        width: Number(frame.querySelector('rect').getAttribute('width')),
      }))
      const root = Math.max(...all.map(({ width }) => width))
      return all.map(({ name, title, width }) => ({ name, title, share: width / root }))
    })()`)

  it('loads nothing but itself and breaks nowhere', () => {
    expect(errors).toEqual([])
    expect(requests).toHaveLength(1)
  })

  it('draws every frame as wide as its share, and says how much that is', async () => {
    await expect.poll(async () => (await drawn()).find(({ name }) => name === 'idle')?.share ?? 0).toBeCloseTo(0.25, 2)
    const frames = new Map((await drawn()).map((frame) => [frame.name, frame]))
    expect([...frames.keys()].sort()).toEqual(['<work>&"x"', 'all', 'idle', 'main', 'read'])
    expect(frames.get('<work>&"x"')?.share).toBeCloseTo(0.75, 2)
    expect(frames.get('read')?.share).toBeCloseTo(0.6, 2)
    expect(frames.get('read')?.title).toBe('read (60, 60.00 %)')
  })

  it('finds frames by name', async () => {
    await page.fill('#search', 'read')
    await expect.poll(() => page.textContent('#details')).toContain('60')
  })

  it('zooms to what is clicked', async () => {
    await page.click('g.frame[name="idle"]')
    await expect.poll(async () => (await drawn()).find(({ name }) => name === 'idle')?.share ?? 0).toBeCloseTo(1, 2)
  })
})
