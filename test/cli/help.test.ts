// Help and rows at every width: no line is broken by the terminal but examples, which are copied, and no word of it is lost.
import { expect, test } from 'vitest'
import { fittedRows } from '../../src/cli/fit.ts'
import { fitted } from '../../src/cli/help.ts'
import { commandsOf, makeProgram } from '../../src/cli/program.ts'

/** What the help of every command says in so many columns. */
function helpIn(columns: number): string[] {
  return commandsOf(makeProgram()).map((command) => {
    let help = ''
    command
      .configureOutput({
        getOutHelpWidth: () => columns,
        writeOut: (text) => {
          help += fitted(text, columns)
        },
      })
      .outputHelp()
    return help
  })
}

const words = (text: string) => text.split(/\s+/).filter((word) => word !== '')

test.each([40, 50, 80, 132])('help fits %i columns', (columns) => {
  for (const help of helpIn(columns)) {
    const lines = help.split('\n').filter((line) => !line.startsWith('  $ '))
    // A word that is wider than the terminal is not cut.
    const wide = lines.filter((line) => line.length > columns && words(line).length > 1)
    // How a command is called, and a flag with its value, are of one piece.
    expect(wide.filter((line) => !line.startsWith('Usage: ') && !/^ {2}(-\w, )?--?[\w-]+ \S+$/.test(line))).toEqual([])
  }
})

test('the words are the same at every width', () => {
  const wide = helpIn(500).map(words)
  expect(helpIn(50).map(words)).toEqual(wide)
  expect(wide.flat().length).toBeGreaterThan(2_000)
})

test('paragraphs are wrapped as a whole, examples and lists are not', () => {
  const text =
    'one two three\nfour five\n\nExit codes: 0 done.\n\nExamples:\n  $ kerndex one two three\n  a: b c d e f\n'
  expect(fitted(text, 12)).toBe(
    'one two\nthree four\nfive\n\nExit codes:\n0 done.\n\nExamples:\n  $ kerndex one two three\n  a: b c d e\n  f\n',
  )
  expect(fitted(text, 80)).toBe(text)
})

test('rows go on in lines that are set in, and no word is cut; colours take no room', () => {
  const row = '\x1b[32mok\x1b[39m      kprobe:vmlinux:vfs_fadvise  0xffffffff8aa8af00/0x20  name\n'
  expect(fittedRows(row, 50, 8)).toBe(
    '\x1b[32mok\x1b[39m      kprobe:vmlinux:vfs_fadvise\n        0xffffffff8aa8af00/0x20  name\n',
  )
  expect(fittedRows(row, undefined, 8)).toBe(row)
  expect(fittedRows(row, 80, 8)).toBe(row)
  const set = '    struct virtqueue *vq, int a, 0x1234567890abcdef\n\nshort\n'
  const lines = fittedRows(set, 24, 2).split('\n')
  expect(lines).toEqual(['    struct virtqueue', '      *vq, int a,', '      0x1234567890abcdef', '', 'short', ''])
  // What is too long for a line that is set in so far stands further out.
  expect(fittedRows('  build id  eb4fbcd037e7253717950bf2  known\n', 26, 10)).toBe(
    '  build id\n  eb4fbcd037e7253717950bf2\n  known\n',
  )
})
