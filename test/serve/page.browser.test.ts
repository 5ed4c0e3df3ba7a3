// The page in a real browser that reaches nothing but its server: every view by keyboard and by link, in both schemes, at every width,
// and over a kernel whose names are markup.

import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Kernel } from '../../src/index.ts'
import type { Serving } from '../../src/serve/app.ts'
import { CAPTURE } from '../fixtures.ts'
import { start } from './server.ts'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const present = existsSync(CHROMIUM)
if (!present) console.warn(`the browser test is skipped: ${CHROMIUM} is not there (CHROMIUM names another)`)

/** Names as bpf programs may have them, made by whoever loads one: markup, another direction, control characters, no UTF-8. */
const HOSTILE = [
  '<img/src=x/onerror=alert(1)>',
  '</script><script>alert(2)</script>',
  'bpf_prog_\u202etxt.exe',
  'bpf_prog_\u009b31mred',
  '"onmouseover="alert(3)',
  'javascript:alert(4)',
  'vfs\u200b_read',
  '__proto__',
]

it('the page is small', () => {
  const packed = ['page.html', 'page.js', 'page.css'].map(
    (name) => gzipSync(readFileSync(`dist/lib/page/${name}`)).length,
  )
  expect(packed.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(150_000)
})

describe.skipIf(!present)('in Chromium', () => {
  let browser: Browser
  let context: BrowserContext
  let page: Page
  let serving: Serving & { readonly url: string }
  let kernel: Kernel
  const errors: string[] = []
  const elsewhere: string[] = []

  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kerndex-page-'))
    // The page names its tables' sources in a script element, which such a name would not let end.
    const hostile = join(folder, '<!--<script>.kallsyms')
    const line = (name: string, i: number) => `ffffffffc000${(i + 1).toString(16)}000 t ${name}\t[bpf]\n`
    writeFileSync(hostile, `ffffffff81000000 T _stext\nffffffff82000000 T _etext\n${HOSTILE.map(line).join('')}`)
    const sources = [
      { key: 'debian', from: CAPTURE },
      { key: 'other', from: CAPTURE },
      { key: 'hostile', from: hostile },
    ]
    serving = await start({ sources })
    kernel = (await serving.tables.use('debian')).kernel
    await kernel.ready()
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
    context = await browser.newContext({ viewport: { width: 1400, height: 900 } })
    page = await context.newPage()
    watch(page)
    await page.goto(serving.url)
  })
  afterAll(async () => {
    await browser?.close()
    await serving?.close()
  })

  function watch(of: Page) {
    of.on('pageerror', (error) => errors.push(String(error)))
    of.on('console', (message) => {
      // A view says so itself where the server has no answer.
      if (message.type() === 'error' && !message.text().includes('status of 404')) errors.push(message.text())
    })
    of.on('dialog', (dialog) => {
      errors.push(`a dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    of.on('request', (request) => {
      if (!request.url().startsWith(serving.url)) elsewhere.push(request.url())
    })
  }

  const open = async (hash: string, of = page) => {
    await of.goto(serving.url + hash)
    await of.waitForSelector('main h1, .count, [role=alert]')
  }
  const text = async (selector: string) => (await page.locator(selector).textContent()) ?? ''
  const hash = () => new URL(page.url()).hash

  it('knows its tables without asking', async () => {
    expect(JSON.parse(await text('#tables')).tables[2].source).toContain('<!--<script>.kallsyms')
    expect(await page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name))).not.toContain(
      `${serving.url}v1/tables`,
    )
  })

  it('finds by keyboard alone, and goes back the way it came', async () => {
    await page.waitForSelector('#box:focus')
    await page.keyboard.type('vfs_read')
    await expect.poll(() => page.locator('[role=option][aria-selected=true] .name').textContent()).toBe('vfs_read')
    expect(hash()).toBe('#/debian/search?q=vfs_read')
    await page.keyboard.press('ArrowDown')
    await expect.poll(() => page.locator('[role=option][aria-selected=true]').getAttribute('id')).toBe('chosen')
    expect(await page.locator('[role=option][aria-selected=true] .name').textContent()).not.toBe('vfs_read')
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Enter')
    await expect.poll(() => text('h1')).toBe('vfs_read')
    await page.goBack()
    await expect.poll(() => page.inputValue('#box')).toBe('vfs_read')
    await page.goBack()
    await expect.poll(() => text('h1')).toBe('Look at a kernel')
    // From wherever, the slash leads to the box, and letters to the views.
    for (const [key, title] of [
      ['m', 'Address space'],
      ['r', 'Resolve'],
      ['s', 'Status'],
    ] as const) {
      await page.locator('main').focus()
      await page.keyboard.press('g')
      await page.keyboard.press(key)
      await expect.poll(() => text('h1')).toBe(title)
    }
    await page.locator('main').focus()
    await page.keyboard.press('/')
    await page.waitForSelector('#box:focus')
    // The first search of a server waits for its index.
  }, 120_000)

  it.each([
    ['task_struct', 'type', 'task_struct'],
    ['task_struct.mm.pgd', 'member', 'task_struct.mm.pgd'],
    ['struct sk_buf', 'type', 'sk_buff'],
    ['vfs_wri*', 'function', 'vfs_write'],
    ['VFS_READ', 'function', 'vfs_read'],
    ['.pgd', 'member', 'mm_struct.pgd'],
  ])('finds %s', async (query, kind, name) => {
    await open(`#/debian/search?q=${encodeURIComponent(query)}`)
    const found = page.locator('[role=option]', { has: page.locator(`.k-${kind}`) })
    await expect.poll(() => found.locator('.name').allInnerTexts()).toContain(name)
  })

  it('finds what is at an address', async () => {
    const { address } = kernel.symbols.named('vfs_read')[0]!
    await open(`#/debian/search?q=${(address + 16n).toString(16)}`)
    expect(await text('[role=option] .detail')).toContain('vfs_read+0x10/')
    await page.locator('[role=option]').first().click()
    await expect.poll(() => text('h1')).toBe('vfs_read+0x10')
  })

  it('shows a type to scale, with holes, links and other views of it', async () => {
    await open('#/debian/type/sk_buff')
    expect(await text('h1')).toBe('struct sk_buff')
    expect(await text('.head .facts')).toContain('232 bytes')
    const place = kernel.types.member('sk_buff.sk')!
    // Its picture begins and ends where the member does.
    const strip = (await page.locator('.strip').first().boundingBox())!
    const piece = (await page.locator('.piece', { hasText: /^sk$/ }).boundingBox())!
    expect((piece.x - strip.x) / strip.width).toBeCloseTo(place.offset / 64, 2)
    expect(piece.width / strip.width).toBeCloseTo(place.size / 64, 2)
    expect(await page.locator('.p-hole').first().textContent()).toMatch(/^hole \d+$/)
    await page.locator('#m-sk a').click()
    await expect.poll(() => text('h1')).toBe('struct sock')
    await page.goBack()
    await page.locator('.tabs a', { hasText: /^C$/ }).click()
    await expect.poll(() => text('.lines')).toContain('struct sk_buff {')
    expect(hash()).toBe('#/debian/type/sk_buff?part=c')
    await page.reload()
    await expect.poll(() => text('.lines')).toContain('struct sk_buff {')
    await page.locator('.tabs a', { hasText: 'Users' }).click()
    const { takes, points } = kernel.types.users('struct sk_buff')
    const taken = page.locator('details', { hasText: 'Taken by' })
    await expect.poll(() => taken.locator('a').allTextContents()).toContain(takes[0]!.name)
    expect(await taken.locator('summary').textContent()).toBe(`Taken by ${takes.length.toLocaleString('en-US')}`)
    const pointed = page.locator('details', { hasText: 'Pointed to from' })
    expect(await pointed.locator('summary').textContent()).toBe(
      `Pointed to from ${points.length.toLocaleString('en-US')}`,
    )
    await page.locator('.tabs a', { hasText: 'Raw' }).click()
    await expect.poll(() => text('.lines')).toContain("STRUCT 'sk_buff'")
    expect(await text('.lines')).not.toContain('\n\n')
    await page.locator('.tabs a', { hasText: 'Compare' }).click()
    await expect.poll(() => text('article')).toContain('No difference')
  })

  it('shows enums, typedefs and what is not there', async () => {
    await open('#/debian/type/pid_type')
    expect(await text('table')).toContain('PIDTYPE_TGID')
    await open('#/debian/type/gfp_t')
    expect(await text('.declaration')).toBe('unsigned int')
    await open('#/debian/type/no_such_type')
    expect(await text('[role=alert]')).toContain('there is no type no_such_type')
  })

  it('shows a function, how to probe it, and what lies beside it', async () => {
    await open('#/debian/symbol/vfs_read')
    expect(await text('.prototype')).toBe('ssize_t vfs_read(struct file *file, char *buf, size_t count, loff_t *pos)')
    expect(await page.locator('.plan').allInnerTexts()).toHaveLength(4)
    expect(await text('section[aria-label=kprobe]')).toContain('kprobe:vfs_read')
    expect(await page.locator('table tbody tr').first().textContent()).toMatch(/^rdi\s*struct file \* file/)
    const { before, after } = {
      before: await page.locator('.neighbours').first().locator('li').last().textContent(),
      after: await page.locator('.neighbours').nth(1).locator('li').first().textContent(),
    }
    const { address, size } = kernel.symbols.named('vfs_read')[0]!
    expect(after).toContain((address + BigInt(size)).toString(16))
    expect(before).toContain(kernel.symbols.at(address - 1n)!.symbol.name)
    await page.locator('.prototype a', { hasText: 'file' }).click()
    await expect.poll(() => text('h1')).toBe('struct file')
  })

  it('draws the address space to scale and goes down to a symbol', async () => {
    await open('#/debian/map')
    const place = (name: string) => kernel.symbols.named(name, { owner: 'vmlinux' })[0]!.address
    const strip = (await page.locator('.strip-map').boundingBox())!
    const [from, to] = await page.locator('.head code').allInnerTexts()
    const whole = Number(BigInt(to!) - BigInt(from!))
    const code = (await page.locator('.stretch.kind-text').first().boundingBox())!
    expect(code.width / strip.width).toBeCloseTo(Number(place('_etext') - place('_stext')) / whole, 2)
    await expect.poll(() => text('.sizes >> nth=0')).toContain('code')
    const { address } = kernel.symbols.named('vfs_read')[0]!
    await open(`#/debian/map?start=0x${(address - 512n).toString(16)}&end=0x${(address + 1536n).toString(16)}`)
    await expect.poll(() => page.locator('.stretch span').allInnerTexts()).toContain('vfs_read')
    await page.locator('.strip-map').focus()
    await page.keyboard.press('-')
    await expect.poll(async () => Number(BigInt(await text('.head code >> nth=-1')) - address)).toBeGreaterThan(1536)
    await page.goBack()
    await page.goForward()
    await page.locator('.stretch', { hasText: 'vfs_read' }).first().click()
    await expect.poll(() => text('h1')).toBe('vfs_read')
  })

  it('puts what is pasted into words, stacks and a flame graph, and hands it out', async () => {
    const at = (name: string, more: bigint) => (kernel.symbols.named(name)[0]!.address + more).toString(16)
    await open('#/debian/resolve')
    const trace = `app 1 [000] 1.000000: cycles:\n\t${at('vfs_read', 16n)} [unknown] ([kernel.kallsyms])\n\t${at('ksys_read', 32n)} [unknown] ([kernel.kallsyms])\n\n`
    await page.fill('#trace', trace)
    await page.keyboard.press('Control+Enter')
    await expect.poll(() => text('.lines')).toContain('vfs_read+0x10')
    expect(await text('.facts')).toContain('perf-script · 1 event · 2 kernel frames')
    await page.locator('.tabs a', { hasText: 'Stacks' }).click()
    await expect.poll(() => page.locator('.frames bdi').allInnerTexts()).toEqual(['vfs_read', 'ksys_read', 'app'])
    await page.locator('.tabs a', { hasText: 'Flame graph' }).click()
    const flames = page.frameLocator('iframe.flames')
    await flames.locator('g.frame[name=vfs_read]').waitFor({ state: 'attached' })
    const download = page.waitForEvent('download')
    await page.locator('a', { hasText: 'folded' }).click()
    const file = await (await download).path()
    expect(readFileSync(file, 'utf8')).toBe('app;ksys_read;vfs_read 1\n')
    await page.reload()
    await flames.locator('g.frame[name=vfs_read]').waitFor({ state: 'attached' })
  })

  it('tells what was loaded, how long it took, and what is missing', async () => {
    await open('#/debian/status')
    expect(await text('.timeline')).toContain('main read')
    expect(await text('article')).toContain(kernel.host.buildId!)
    const absences = await text('.absences')
    for (const { what, reason } of kernel.host.absences) expect(absences).toContain(`${what}: ${reason}`)
    expect(await page.locator('h2', { hasText: 'Modules' }).textContent()).toBe(
      `Modules ${kernel.host.modules!.length}`,
    )
  })

  it('begins a new view at its top, and goes back to where one was', async () => {
    const y = () => page.locator('html').evaluate((html: { scrollTop: number }) => Math.round(html.scrollTop))
    await open('#/debian/type/task_struct')
    const row = page.locator('#m-mm')
    await row.scrollIntoViewIfNeeded()
    const left = await y()
    expect(left).toBeGreaterThan(500)
    await row.locator('a').focus()
    await page.keyboard.press('Enter')
    await expect.poll(() => text('h1')).toBe('struct mm_struct')
    expect(await y()).toBe(0)
    // The keyboard goes on in the view.
    await page.waitForSelector('main:focus')
    await page.goBack()
    await expect.poll(() => text('h1')).toBe('struct task_struct')
    await expect.poll(y).toBe(left)
    await page.goForward()
    await expect.poll(() => text('h1')).toBe('struct mm_struct')
    await expect.poll(y).toBe(0)
    await page.goBack()
    await expect.poll(y).toBe(left)
    await page.reload()
    await expect.poll(y).toBe(left)
  })

  it('leads on where a link is to what is not there', async () => {
    await open('#/gone/type/sk_buff?part=c')
    await page.locator('main a', { hasText: 'debian' }).click()
    await expect.poll(hash).toBe('#/debian/type/sk_buff?part=c')
    await open('#/debian/symbol/vfs_raed')
    expect(await text('h1')).toBe('vfs_raed')
    await page.locator('main a', { hasText: 'search for vfs_raed' }).click()
    await expect.poll(() => page.inputValue('#box')).toBe('vfs_raed')
  })

  it('keeps the view when another kernel is chosen', async () => {
    await open('#/debian/type/sk_buff?part=c')
    await page.selectOption('.chooser select', 'other')
    await expect.poll(hash).toBe('#/other/type/sk_buff?part=c')
    await expect.poll(() => text('.lines')).toContain('struct sk_buff {')
  })

  it('shows names that would be markup as names', async () => {
    for (const view of ['search?q=a', 'search?q=*', 'map', 'status']) await open(`#/hostile/${view}`)
    await open('#/hostile/search?q=bpf%3A')
    await expect.poll(() => page.locator('[role=option]').count()).toBe(HOSTILE.length)
    const names = await page.locator('[role=option] .name').allInnerTexts()
    expect(names).toContain('<img/src=x/onerror=alert(1)>')
    expect(names).toContain('bpf_prog_\\u202etxt.exe')
    expect(names).toContain('bpf_prog_\\x9b31mred')
    for (let i = 0; i < HOSTILE.length; i++) {
      await open('#/hostile/search?q=bpf%3A')
      await page.locator('[role=option]').nth(i).click()
      await expect.poll(() => page.locator('h1 .name').textContent()).toBe(names[i]!)
      await page.reload()
      await expect.poll(() => page.locator('h1 .name').textContent()).toBe(names[i]!)
    }
    // What is asked for may be markup too.
    await open(`#/debian/search?q=${encodeURIComponent(HOSTILE[0]!)}`)
    await open(`#/debian/symbol/${encodeURIComponent(HOSTILE[1]!)}`)
    await open('#/%ff/nothing/%')
  })

  it('fits every width in either scheme, and gives a name to everything that can be used', async () => {
    const narrow = await browser.newContext({ viewport: { width: 400, height: 800 }, colorScheme: 'light' })
    const small = await narrow.newPage()
    watch(small)
    const fits = () =>
      small
        .locator('html')
        .evaluate((html: { scrollWidth: number; clientWidth: number }) => html.scrollWidth <= html.clientWidth)
    for (const view of ['search', 'search?q=read', 'type/task_struct', 'symbol/vfs_read', 'map', 'resolve', 'status']) {
      // Laid out as a narrow window has it from the start, and as it becomes.
      await small.setViewportSize({ width: 400, height: 800 })
      await open(`#/debian/${view}`, small)
      for (const [width, colorScheme] of [
        [400, 'light'],
        [400, 'dark'],
        [600, 'dark'],
        [1400, 'light'],
        [1400, 'dark'],
      ] as const) {
        await small.setViewportSize({ width, height: 800 })
        await small.emulateMedia({ colorScheme })
        await expect.poll(fits, { message: `${view}, ${width} pixels, ${colorScheme}` }).toBe(true)
      }
      const nameless = await small.locator('button, input, select, textarea').evaluateAll(
        (
          all: {
            labels?: { length: number } | null
            textContent: string
            getAttribute(name: string): string | null
          }[],
        ) =>
          all.filter((one) => !one.getAttribute('aria-label') && !one.labels?.length && one.textContent.trim() === '')
            .length,
      )
      expect([view, nameless]).toEqual([view, 0])
    }
    await narrow.close()
  })

  it('asked nobody else, and broke nowhere', () => {
    expect(elsewhere).toEqual([])
    expect(errors).toEqual([])
  })
})
