// The rewrites of what the bundler writes: that the code still does the same, reads files no sooner than it needs them, and that
// anything unknown is an error. The code is run, in files of its own, to see what it does.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runInThisContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  calledLater,
  functionsOf,
  moduleOf,
  plainExports,
  plainLetters,
  readAtTop,
  readWhenCalled,
  requireWhenNeeded,
  Unrecognised,
} from '../../build/rewrite.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerndex-rewrite-'))
  await write(
    'part.cjs',
    `globalThis.order.push('part'); exports.Point = class { constructor(x) { this.x = x } }; exports.two = 2`,
  )
  await write('odd.cjs', `globalThis.order.push('odd'); module.exports = { three: 3 }`)
  await write('runtime.cjs', `exports.__toESM = (value) => ({ default: value, ...value })`)
  await write(
    'package.cjs',
    `exports.require_colours = () => { globalThis.order.push('colours'); return { blue: 'blue' } }`,
  )
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const write = (name: string, code: string) => writeFile(join(folder, name), code)
let count = 0

/** What code exports when it is run, and in which order it read files: itself, then those that `use` makes it read. */
async function ran(code: string, use: (exports: Record<string, () => unknown>) => unknown) {
  const order: string[] = []
  Object.assign(globalThis, { order })
  const file = `${count++}.cjs`
  await write(file, `${code}\nglobalThis.order.push('itself')`)
  const require = createRequire(join(folder, file))
  for (const name of ['part', 'odd', 'package']) delete require.cache[join(folder, `${name}.cjs`)]
  return { result: use(require(`./${file}`)), order }
}

const refused = (rewrite: (code: string) => string, code: string, why: RegExp) => {
  expect(() => rewrite(code)).toThrow(Unrecognised)
  expect(() => rewrite(code)).toThrow(why)
}

describe('reading when needed', () => {
  const cases: [name: string, code: string, result: unknown, order: string[]][] = [
    ['a member', `const part = require("./part.cjs"); exports.f = () => part.two`, 2, ['itself', 'part']],
    [
      'what is constructed, nested and with computed members',
      `const part = require("./part.cjs"); exports.f = () => [new part.Point(new part["Point"](1).x + 1).x, typeof part.Point]`,
      [2, 'function'],
      ['itself', 'part'],
    ],
    [
      'what is made to look like a module, as two statements',
      `const runtime = require("./runtime.cjs");\nlet odd = require("./odd.cjs");\nodd = runtime.__toESM(odd, 1);\nexports.f = () => odd.default.three`,
      3,
      ['itself', 'odd'],
    ],
    [
      'a package in a file of its own',
      `const runtime = require("./runtime.cjs"); const $package = require("./package.cjs");
       var colours = /* @__PURE__ */ runtime.__toESM($package.require_colours(), 1);
       exports.f = () => colours.default.blue + colours.blue`,
      'blueblue',
      ['itself', 'colours'],
    ],
    [
      'as a value, in short and in call chains',
      `const part = require("./part.cjs"); exports.f = () => { const { part: { two } } = { part }; return [two, part?.two, (0, part.Point).name.length >= 0] }`,
      [2, 2, true],
      ['itself', 'part'],
    ],
    [
      'what a class extends at the top',
      `const part = require("./part.cjs"); class A extends part.Point {} exports.f = () => new A(7).x`,
      7,
      ['part', 'itself'],
    ],
    [
      'members and texts that have its name',
      `const part = require("./part.cjs"); exports.f = () => ({ part: 'part.two' }).part`,
      'part.two',
      ['itself'],
    ],
  ]
  it.each(cases)('%s', async (_, code, result, order) => {
    const plain = await ran(code, ({ f }) => f!())
    expect(plain.result).toEqual(result)
    const lazy = await ran(requireWhenNeeded(code), ({ f }) => f!())
    expect(lazy).toEqual({ result, order })
  })

  it.each([
    ['a name that is declared again', `const a = require("a"); function f(a) { return a.b }`],
    ['in a pattern', `const a = require("a"); function f() { const { b: [a] } = c; }`],
    ['as a default', `const a = require("a"); const f = ({ a = 1 }) => a`],
    ['by a loop', `const a = require("a"); for (const a of b) a.c()`],
    ['a name that is assigned', `let a = require("a"); function f() { a = 1 }`],
    ['counted up', `let a = require("a"); function f() { a++ }`],
  ])('refuses %s', (_, code) =>
    refused(requireWhenNeeded, code, /"a" is declared or assigned again|assigned otherwise/),
  )

  it('tells what is read all the same when the file itself is', () => {
    const code = `const a = require("./a.cjs"); const b = require("b"); const c = require("c"); const d = require("d");
      class A extends a.B { own = c.one; static two = d.two; f() { return b.c } }`
    expect(readAtTop(requireWhenNeeded(code)).sort()).toEqual(['./a.cjs', 'd'])
  })

  it('refuses what would still be read at the top', () => {
    refused(requireWhenNeeded, `const { b } = require("a");`, /read at the top, in line 1 .*require\("a"\)/)
    refused(requireWhenNeeded, `\nrequire("a");`, /line 2/)
    refused(requireWhenNeeded, `const a = require("a"), b = require("b");`, /read at the top/)
    const url = `const here = require("url").pathToFileURL(__filename).href;`
    expect(requireWhenNeeded(url)).toBe(url)
    const later = `function f() { return require("a") }`
    expect(requireWhenNeeded(later)).toBe(later)
  })
})

describe('plain exports', () => {
  const getter = (name: string, value: string) =>
    `Object.defineProperty(exports, "${name}", { enumerable: true, get: function () { return ${value}; } });`

  it('are values, unless they change', () => {
    expect(plainExports(`var A = class {};\n${getter('A', 'A')}`)).toBe('var A = class {};\nexports.A = A;')
    const counted = `let n = 0; exports.next = () => n++;\n${getter('n', 'n')}`
    expect(plainExports(counted)).toBe(counted)
    const late = `var late; function init() { [late] = [1] }\n${getter('late', 'late')}`
    expect(plainExports(late)).toBe(late)
    const tag = `Object.defineProperty(exports, Symbol.toStringTag, { value: 'Module' });`
    expect(plainExports(tag)).toBe(tag)
  })

  it('refuse another form', () => {
    refused(plainExports, `Object.defineProperty(exports, "a", { get: () => a });`, /handed out otherwise/)
    refused(plainExports, `Object.defineProperty(exports, "a", descriptor);`, /handed out otherwise/)
  })
})

describe('plain letters', () => {
  it('say the same in ASCII', () => {
    const code = `(é) => [\`µ\${é}😀\`, "→\\n", /[…–]/.source, {'ü': 1}]`
    const plain = plainLetters(code)
    expect(plain).toMatch(/^[\0-\x7f]*$/)
    const both = [code, plain].map((text) => runInThisContext(text)('x'))
    expect(both[1]).toEqual([...both[0].slice(0, 2), '[\\u2026\\u2013]', { ü: 1 }])
  })

  it('refuse letters whose spelling can be told', () => {
    refused(plainLetters, 'String.raw`µ`', /tagged/)
    refused(plainLetters, 'f() /* µ */', /in no text/)
  })
})

describe('entry points', () => {
  it('become modules of the same names', () => {
    const code = requireWhenNeeded(
      `Object.defineProperty(exports, Symbol.toStringTag, { value: 'Module' });\nconst part = require("./part.cjs");\n\nexports.two = part.two;`,
    )
    expect(moduleOf(code).split('\n').slice(-4)).toEqual([
      'let loaded_part;',
      'const part = () => loaded_part ??= require("./part.cjs");',
      'export const two = part().two;',
      '',
    ])
    expect(moduleOf(code)).toMatch(/^let beside;\nconst require = \(file\) => \{\n/)
  })

  it('read a part that only some programs need when a function of it is called', async () => {
    await write(
      'some.cjs',
      `globalThis.order.push('some'); exports.add = (...all) => [all.length, all[0] + all[1]]; exports.Sum = class {}`,
    )
    const code = requireWhenNeeded(
      `const some = require("./some.cjs"); const part = require("./part.cjs");\nexports.add = some.add;\nexports.two = part.two;`,
    )
    const later = readWhenCalled(code, ['./part.cjs'])
    const { result, order } = await ran(later, ({ add, two }) => [
      add!.name,
      two,
      (add as (...all: number[]) => unknown)(1, 2),
    ])
    expect(result).toEqual(['add', 2, [2, 3]])
    expect(order).toEqual(['part', 'itself', 'some'])
    expect(readAtTop(later)).toEqual(['./part.cjs'])
    expect(moduleOf(later)).toContain('export const add = function add(...given)')
    expect(calledLater(later).map(({ name, file, member }) => [name, file, member])).toEqual([
      ['add', './some.cjs', 'add'],
    ])
  })

  it('read the part of a class or a value at once', () => {
    const code = requireWhenNeeded(`const some = require("./some.cjs");\nexports.Sum = some.Sum;`)
    expect(readWhenCalled(code, [])).toBe(code)
    expect(calledLater(code)).toEqual([])
  })

  it('are held to handing out functions so', () => {
    const part = `function add() {}\nasync function later() {}\nconst value = 1;\nexports.add = add;\nexports.after = later;\nexports.value = value;`
    expect([...functionsOf(part)]).toEqual(['add', 'after'])
  })

  it('do nothing else', () => {
    refused(moduleOf, 'console.log(1);', /does more/)
    refused(moduleOf, 'function f() {}', /does more/)
  })
})
