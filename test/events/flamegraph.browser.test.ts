// Flame graphs in a real browser without a network: they draw every frame, at its share of the width; they zoom and find, and
// names that would be markup are names.

import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { flameGraphHtml } from '../../src/events/output/flamegraph.ts'
import { flameSvg } from '../../src/events/output/svg.ts'
import { type CodeKind, Profile } from '../../src/stacks/profile.ts'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const present = existsSync(CHROMIUM)
if (!present) console.warn(`the browser test is skipped: ${CHROMIUM} is not there (CHROMIUM names another)`)

/** A name with everything that a page or a terminal could take for something else. */
const HOSTILE = '</script><img src=x onerror=alert(1)>"\'&\u001b[31m\u202e\u0000'

describe.skipIf(!present)('in Chromium', () => {
  let browser: Browser
  const folder = mkdtempSync(join(tmpdir(), 'kerndex-flames-'))
  const requests: string[] = []
  const errors: string[] = []
  const profile = new Profile('cpu-clock', 'nanoseconds')
  const frame = (name: string, kind: CodeKind, owner?: string) => ({ name, kind, owner, address: undefined })
  const main = frame('main', 'user', '/bin/app')
  const work = frame('<work>&"x"', 'kernel', 'vmlinux')
  profile.add([main, work, frame('read', 'module', 'nfs')], 60_000_000n)
  profile.add([main, work], 15_000_000n)
  profile.add([main, frame(HOSTILE, 'unknown')], 25_000_000n)
  const facts = { title: `a <test> ${HOSTILE}`, weighing: 'measured' } as const

  /** A page with a file in it, of which it is noted what it asks for and what breaks. */
  const open = async (name: string, content: string): Promise<Page> => {
    const file = join(folder, name)
    writeFileSync(file, content)
    const page = await (await browser.newContext({ offline: true, viewport: { width: 1200, height: 800 } })).newPage()
    page.on('request', (request) => requests.push(request.url()))
    page.on('pageerror', (error) => errors.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text())
    })
    page.on('dialog', (dialog) => errors.push(`a dialog: ${dialog.message()}`))
    await page.goto(pathToFileURL(file).href)
    return page
  }

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
  })
  afterAll(() => browser?.close())

  describe('the page', () => {
    let page: Page
    beforeAll(async () => {
      page = await open('flames.html', flameGraphHtml(profile, facts))
      await page.waitForSelector('.d3-flame-graph g.frame')
    })

    /** The frames that are drawn, by name: their widths and heights as shares of the whole's, and their colours. */
    const drawn = (): Promise<{ name: string; share: number; top: number; fill: string }[]> =>
      // As text, because the code of the tests knows nothing of a document.
      page.evaluate(`(() => {
        const all = [...document.querySelectorAll('g.frame')].map((frame) => {
          const rect = frame.querySelector('rect')
          return {
            name: frame.getAttribute('name'),
            width: Number(rect.getAttribute('width')),
            top: rect.getBoundingClientRect().top,
            fill: rect.getAttribute('fill'),
          }
        })
        const root = Math.max(...all.map(({ width }) => width))
        return all.map(({ width, ...frame }) => ({ ...frame, share: width / root }))
      })()`)
    const one = async (name: string) => (await drawn()).find((each) => each.name === name)

    it('loads nothing but itself and breaks nowhere', () => {
      expect(errors).toEqual([])
      expect(requests).toHaveLength(1)
    })

    it('draws every frame as wide as its share, in the colour of its kind', async () => {
      await expect.poll(async () => (await one('<work>&"x"'))?.share ?? 0).toBeCloseTo(0.75, 2)
      await expect.poll(async () => (await one('read'))?.share ?? 0).toBeCloseTo(0.6, 2)
      const names = (await drawn()).map(({ name }) => name)
      expect(names).toHaveLength(5)
      expect(names).toContain('</script><img src=x onerror=alert(1)>"\'&\\u001b[31m\\u202e\\u0000')
      expect(new Set((await drawn()).map(({ fill }) => fill)).size).toBe(5)
      expect(await page.textContent('#legend')).toBe('kernelmodule, bpfuser spaceunknown')
    })

    it('says what was sampled and how much of it there is', async () => {
      expect(await page.textContent('#summary')).toBe('cpu-clock · 100 ms · 3 samples')
      expect(await page.title()).toContain('a <test> </script>')
    })

    it('says at the pointer what a frame is', async () => {
      // Frames may still be growing to their places: a pointer that was there before them has to come again.
      const pointed = async () => {
        await page.mouse.move(0, 0)
        await page.hover('g.frame[name="read"]', { force: true })
        return page.textContent('#pointer')
      }
      await expect.poll(pointed).toBe('read [nfs] (60 ms, 60.00 %)')
      expect(await page.isVisible('#pointer')).toBe(true)
    })

    it('finds frames by name, and still does when the window changes', async () => {
      await page.fill('#search', 'read')
      await expect.poll(() => page.textContent('#matched')).toBe('60.00 % found')
      await expect.poll(async () => (await one('read'))?.fill).toBe('#e600e6')
      await page.setViewportSize({ width: 600, height: 800 })
      await expect.poll(() => page.getAttribute('#graph svg', 'width').then(Number)).toBeLessThan(600)
      expect((await one('read'))?.fill).toBe('#e600e6')
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
    })

    it('stands on its head when asked to', async () => {
      const above = async () => ((await one('all'))?.top ?? 0) < ((await one('main'))?.top ?? 0)
      expect(await above()).toBe(false)
      await page.check('#icicle')
      await expect.poll(above).toBe(true)
    })

    it('zooms to what is clicked, and back', async () => {
      await page.click('g.frame[name="read"]', { force: true })
      await expect.poll(async () => (await one('read'))?.share ?? 0).toBeCloseTo(1, 2)
      await page.click('#reset')
      await expect.poll(async () => (await one('read'))?.share ?? 0).toBeCloseTo(0.6, 2)
    })
  })

  it('a comparison is red where something grew, and blue where it shrank', async () => {
    const earlier = new Profile('cpu-clock', 'nanoseconds')
    earlier.add([main, work], 90_000_000n)
    earlier.add([main, frame(HOSTILE, 'unknown')], 10_000_000n)
    const page = await open('growth.html', flameGraphHtml(profile, facts, earlier))
    await page.waitForSelector('g.frame[name="read"]')
    const fill = (name: string) => page.getAttribute(`g.frame[name=${JSON.stringify(name)}] rect`, 'fill')
    expect(await fill('read')).toBe('rgb(250,0,0)')
    expect(await fill('<work>&"x"')).toMatch(/^rgb\(\d+,\d+,250\)$/)
    expect(await page.textContent('#summary')).toContain('before: 100 ms')
  })

  it('the picture tells names, finds them, and zooms', async () => {
    const page = await open('flames.svg', [...flameSvg(profile, facts)].join(''))
    expect(await page.textContent('#frames g:last-child title')).toMatch(/ \(\d+ ms, \d+\.00 %\)$/)
    const width = (name: string) => page.getAttribute(`#frames g[data-n="${name}"] rect`, 'width').then(Number)
    expect(await width('read')).toBe(720)
    page.removeAllListeners('dialog')
    page.once('dialog', (dialog) => dialog.accept('read'))
    await page.click('#search')
    await expect.poll(() => page.textContent('#matched')).toBe('matched: 60.00 %')
    await page.click('#frames g[data-n="read"]')
    await expect.poll(() => width('read')).toBe(1200)
    await page.click('#reset')
    await expect.poll(() => width('read')).toBe(720)
    // It fits into a narrow window, and into a dark page.
    await page.setViewportSize({ width: 600, height: 800 })
    await expect.poll(() => page.evaluate('document.documentElement.getBoundingClientRect().width')).toBe(600)
    const ground = () => page.evaluate("getComputedStyle(document.getElementById('ground')).fill")
    expect(await ground()).toBe('rgb(255, 255, 255)')
    await page.emulateMedia({ colorScheme: 'dark' })
    expect(await ground()).toBe('rgb(28, 30, 32)')
  })

  it('nothing but the files was asked for, and nothing broke', () => {
    expect(errors).toEqual([])
    expect(requests).toHaveLength(3)
  })
})
