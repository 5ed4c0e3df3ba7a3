// Names that others choose, through everything that shows or counts them: none of them forges a line, a stack or an owner.

import { describe, expect, it } from 'vitest'
import { output, run, snapshotOfText } from '../events/samples.ts'

const KALLSYMS = [
  'ffffffff81000000 T _stext',
  'ffffffff81000010 T f',
  'ffffffff82000000 T _end',
  'ffffffffc0000000 t a\t[__proto__]',
  'ffffffffc0001000 t b\t[constructor]',
  'ffffffffc0002000 t c\u009b31m\t[hasOwnProperty]',
].join('\n')

describe('names of others', () => {
  it('are owners, whatever they are called', async () => {
    const { symbols } = await snapshotOfText(KALLSYMS)
    const { byOwner } = symbols.census()
    expect(Object.entries(byOwner).sort()).toEqual([
      ['__proto__', 1],
      ['constructor', 1],
      ['hasOwnProperty', 1],
      ['vmlinux', 3],
    ])
    expect(JSON.parse(JSON.stringify({ byOwner }))).toEqual({
      byOwner: JSON.parse('{"__proto__":1,"constructor":1,"hasOwnProperty":1,"vmlinux":3}'),
    })
    expect(symbols.named('a', { owner: '__proto__' })).toMatchObject([{ owner: '__proto__' }])
    expect(symbols.named('a', { owner: 'toString' })).toEqual([])
  })

  const hostile = 'x\n0.0 exec root[1] \u001b[2J;f 999\u007f\u009b'
  const events = `${JSON.stringify({ type: 'exec', pid: 5, comm: hostile, filename: hostile, args: [hostile] })}
${JSON.stringify({ type: 'sample', pid: 5, comm: hostile, stack: ['0xffffffff81000011', '0xffffffffc0002004'] })}
`

  it('stand on one line of compact', async () => {
    const text = (await output(Buffer.from(events), await snapshotOfText(KALLSYMS), 'compact')).toString()
    expect(text.split('\n')).toHaveLength(5)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(text).not.toMatch(/[\0-\x09\x0b-\x1f\x7f-\x9f]/)
    expect(text).toContain('x\\n0.0 exec root[1] \\x1b[2J;f 999\\x7f\\x9b')
  })

  it('forge no stack of a profile', async () => {
    const snapshot = await snapshotOfText(KALLSYMS)
    const folding = { prefix: 'comm', kernelMark: false } as const
    const [answer] = await run(Buffer.from(events), snapshot, 'profile', { folding })
    const names = answer?.profile?.flatMap(({ frames }) => frames.map(({ name }) => name)) ?? []
    expect(names.filter((name) => name !== 'f')).toHaveLength(2)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    for (const name of names) expect(name).not.toMatch(/[;\0-\x1f\x7f-\x9f]/)
  })

  it('reach the words that are put into a text escaped, and leave its own bytes alone', async () => {
    const text = await output(Buffer.from('\u001b[1m at ffffffffc0002004\n'), await snapshotOfText(KALLSYMS), 'text', {
      input: 'any-text',
    })
    expect(text.toString('latin1').startsWith('\u001b[1m at c\\x9b31m+0x4')).toBe(true)
  })

  it('of events are never types of events', async () => {
    const lines = ['constructor', '__proto__', 'toString'].map(
      (name) => `{"${name}":{"process":{"pid":1}},"time":"x"}\n`,
    )
    const [answer] = await run(Buffer.from(lines.join('')), await snapshotOfText(KALLSYMS), 'ndjson', {
      input: 'tetragon',
    })
    expect(answer).toMatchObject({ events: 0, bad: [{ line: 0 }, { line: 1 }, { line: 2 }] })
  })
})
