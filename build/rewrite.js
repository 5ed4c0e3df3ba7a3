// What becomes of the CommonJS that the bundler writes: rewrites from code to code, over its syntax tree. Whatever a rewrite
// does not know is an error, so that another version of the bundler cannot change the package in silence.
import { parseAst } from 'rolldown/parseAst'

/** What a program is told whose bundler took kerndex in; src/core/place.ts says the same where a file is missed later. */
const IN_A_BUNDLE =
  "the files of kerndex are not where it looks for them: where a bundler took it in, mark the package 'kerndex' as external (docs/bundlers.md)"

/** Code that no rewrite knows. */
export class Unrecognised extends Error {
  constructor(code, node, why) {
    const line = code.slice(0, node.start).split('\n').length
    super(`${why}, in line ${line} of what the bundler wrote: ${code.slice(node.start, node.end).slice(0, 120)}`)
  }
}

/**
 * Has another file, a module of Node or a package read when the first of its names is used: what compilers to CommonJS call
 * lazy. What a file uses at its top, it still waits for.
 */
export function requireWhenNeeded(written) {
  const code = joinInterop(written)
  const program = parse(code)
  const reads = new Map()
  for (const statement of program.body) {
    const declared = soleDeclarator(statement)
    if (declared?.init && isRead(declared.init, reads)) reads.set(declared.id.name, { statement, declared })
  }
  const edits = []
  for (const [name, { statement, declared }] of reads) {
    const head = `let loaded_${name};\nconst ${name} = () => loaded_${name} ??= `
    edits.push({ start: statement.start, end: declared.init.start, text: head })
  }
  walk(program, [], (node, parents) => {
    if (node.type !== 'Identifier' || reads.get(node.name)?.declared.id === node || !reads.has(node.name)) return
    const parent = parents.at(-1)
    if (isKey(node, parent)) return
    if (bindingOf(node, parents)) throw new Unrecognised(code, parent, `"${node.name}" is declared or assigned again`)
    const text = parent.type === 'Property' && parent.shorthand ? `: ${node.name}()` : '()'
    edits.push({ start: node.end, end: node.end, text })
    // `new a.B()` would call `a`: it becomes `new (a().B)()`.
    const callee = calleeOfNew(node, parents)
    if (callee)
      edits.push(
        { start: callee.start, end: callee.start, text: '(' },
        { start: callee.end, end: callee.end, text: ')' },
      )
  })
  return holdToLazy(apply(code, edits))
}

/** `let a = require("a"); a = toESM(a, 1);` as one declaration: `let a = toESM(require("a"), 1);` */
function joinInterop(code) {
  const { body } = parse(code)
  const edits = []
  const required = new Map()
  for (const statement of body) {
    const declared = soleDeclarator(statement)
    if (declared?.init && isRequire(declared.init)) required.set(declared.id.name, declared.init)
    const assignment = statement.type === 'ExpressionStatement' && statement.expression
    if (assignment?.type !== 'AssignmentExpression' || !required.has(assignment.left.name)) continue
    const { left, right } = assignment
    const read = required.get(left.name)
    const [inner] = right.type === 'CallExpression' ? right.arguments : []
    if (inner?.name !== left.name)
      throw new Unrecognised(code, statement, 'what was read is assigned otherwise than expected')
    edits.push({ start: read.start, end: read.start, text: code.slice(right.start, inner.start) })
    edits.push({ start: read.end, end: read.end, text: code.slice(inner.end, right.end) })
    edits.push({ start: statement.start, end: statement.end, text: '' })
  }
  return apply(code, edits)
}

/** `require("…")`, what a package's part hands out (`part.require_name()`), or either of them made look like a module. */
function isRead(node, reads) {
  if (isRequire(node)) return true
  if (node.type !== 'CallExpression' || node.callee.type !== 'MemberExpression') return false
  const { object, property } = node.callee
  if (!reads.has(object.name)) return false
  if (property.name === '__toESM') return isRead(node.arguments[0], reads)
  return property.name.startsWith('require_') && node.arguments.length === 0
}

/** Throws where a file is still read at the top; of Node's own modules that are always there, the bundler reads one for URLs. */
function holdToLazy(code) {
  walk(parse(code), [], (node, parents) => {
    if (!isRequire(node) || parents.some(isFunction)) return
    if (node.arguments[0].value === 'url' && parents.at(-1).property?.name === 'pathToFileURL') return
    throw new Unrecognised(code, node, 'a file is read at the top')
  })
  return code
}

/** The files that rewritten code reads when it is read itself, because it uses a name of theirs at its top. */
export function readAtTop(code) {
  const program = parse(code)
  const files = filesRead(program)
  const read = new Set()
  walk(program, [], (node, parents) => {
    if (node.type !== 'CallExpression' || !files.has(node.callee.name)) return
    if (!parents.some((parent) => isFunction(parent) || (parent.type === 'PropertyDefinition' && !parent.static))) {
      read.add(files.get(node.callee.name))
    }
  })
  return [...read].filter((file) => file !== undefined)
}

/** The files that rewritten code reads when they are needed, by the names of the functions that do it. */
function filesRead(program) {
  const files = new Map()
  for (const statement of program.body) {
    const { id, init } = soleDeclarator(statement) ?? {}
    if (init?.type === 'ArrowFunctionExpression' && init.body.left?.name === `loaded_${id.name}`) {
      files.set(id.name, requiredFile(init.body.right))
    }
  }
  return files
}

/** Whether code has an `import(…)`. */
export function importsLater(code) {
  let found = false
  walk(parse(code), [], ({ type }) => {
    found ||= type === 'ImportExpression'
  })
  return found
}

/** The file of the one `require` in an expression. */
function requiredFile(expression) {
  let file
  walk(expression, [], (node) => {
    if (isRequire(node)) file = node.arguments[0].value
  })
  return file
}

/**
 * Hands names out as values, not by a function each: nothing changes them once their file has run. Names that are assigned later
 * keep their functions.
 */
export function plainExports(code) {
  const program = parse(code)
  const assigned = new Set()
  walk(program, [], (node, parents) => {
    if (node.type === 'Identifier' && bindingOf(node, parents) === 'assigned') assigned.add(node.name)
  })
  const edits = []
  for (const statement of program.body) {
    if (!isExport(statement)) continue
    const [, name, descriptor] = statement.expression.arguments
    if (name.type !== 'Literal') continue
    const value = returned(descriptor.properties?.find(({ key }) => key.name === 'get')?.value)
    if (!value) throw new Unrecognised(code, statement, 'a name is handed out otherwise than expected')
    if (value.type === 'Identifier' && assigned.has(value.name)) continue
    const text = `exports.${name.value} = ${code.slice(value.start, value.end)};`
    edits.push({ start: statement.start, end: statement.end, text })
  }
  return apply(code, edits)
}

/**
 * Has functions that an entry point hands out read their part when they are called, unless it is one of those that are always there.
 * What begins with a capital letter is a class or a value, which has to be there at once.
 */
export function readWhenCalled(code, alwaysThere) {
  const program = parse(code)
  const files = filesRead(program)
  const edits = []
  for (const { value, name, file } of handedOut(program, files)) {
    if (alwaysThere.includes(file) || !/^[a-z]/.test(name)) continue
    const text = `function ${name}(...given) { return ${code.slice(value.start, value.end)}(...given); }`
    edits.push({ start: value.start, end: value.end, text })
  }
  return apply(code, edits)
}

/** The names that an entry point hands out as `readWhenCalled` has it, with the files that have them. */
export function calledLater(code) {
  const program = parse(code)
  const files = filesRead(program)
  return [...handedOut(program, files, (value) => value.type === 'FunctionExpression' && calleeIn(value))]
}

/** The callee in a function that `readWhenCalled` wrote. */
function calleeIn({ body }) {
  return returned({ body })?.callee
}

/** What an entry point hands out of other files, as `require_part().name`. */
function* handedOut(program, files, inner = (value) => value) {
  for (const statement of program.body) {
    const { left, right } = (statement.type === 'ExpressionStatement' && statement.expression) || {}
    if (left?.type !== 'MemberExpression' || left.object.name !== 'exports') continue
    const value = inner(right)
    if (value?.type !== 'MemberExpression' || !files.has(value.object.callee?.name)) continue
    yield { name: left.property.name, value, file: files.get(value.object.callee.name), member: value.property.name }
  }
}

/** The names by which a part hands functions out. */
export function functionsOf(code) {
  const program = parse(code)
  const declared = new Set()
  for (const statement of program.body) if (statement.type === 'FunctionDeclaration') declared.add(statement.id.name)
  const names = new Set()
  for (const statement of program.body) {
    const { left, right } = (statement.type === 'ExpressionStatement' && statement.expression) || {}
    if (left?.object?.name === 'exports' && declared.has(right.name)) names.add(left.property.name)
  }
  return names
}

/** Writes other letters than ASCII's by number: V8 would keep a whole file at two bytes a letter for one of them. */
export function plainLetters(code) {
  const edits = []
  walk(parse(code), [], (node, parents) => {
    if (node.type !== 'Literal' && node.type !== 'TemplateElement' && node.type !== 'Identifier') return
    for (const { index, 0: letter } of code.slice(node.start, node.end).matchAll(/[^\0-\x7f]/g)) {
      if (parents.at(-2)?.type === 'TaggedTemplateExpression')
        throw new Unrecognised(code, node, 'a letter in a tagged text')
      const start = node.start + index
      edits.push({ start, end: start + 1, text: `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}` })
    }
  })
  const plain = apply(code, edits)
  const other = plain.search(/[^\0-\x7f]/)
  if (other >= 0) throw new Unrecognised(plain, { start: other, end: other + 1 }, 'a letter that is in no text')
  return plain
}

/**
 * Where compiled code may have been kept, what an entry point does first. Most users have none, and should not wait for what looks closer
 * (src/core/code-cache.ts).
 */
export function whereCodeIsKept(statement) {
  const places = '[process.env.XDG_CACHE_HOME, process.env.HOME + "/.cache"]'
  return `if (${places}.some((place) => require("node:fs").existsSync(place + "/kerndex"))) ${statement}`
}

/** An entry point that has `reader` read the parts that it reads at its top. */
export function takingParts(code, reader) {
  const parts = JSON.stringify(readAtTop(code))
  return `${whereCodeIsKept(`require(${JSON.stringify(reader)}).takeParts(${parts});`)}\n${code}`
}

/** How an entry point reads the parts. Where it was taken into a bundle, they are not beside it. */
const READS_BESIDE = `let beside;
const require = (file) => {
  try {
    beside ??= process.getBuiltinModule('node:module').createRequire(import.meta.url);
    return beside(file);
  } catch (error) {
    const missing = ['MODULE_NOT_FOUND', 'ERR_INVALID_ARG_VALUE', 'ERR_INVALID_ARG_TYPE'].includes(error.code);
    if (!missing) throw error;
    throw Object.assign(new Error(${JSON.stringify(IN_A_BUNDLE)}, { cause: error }), { code: 'UNSUPPORTED' });
  }
};`

/** An entry point, which holds names only, as what programs import: a module that takes their values out of the parts. */
export function moduleOf(code) {
  const lines = [READS_BESIDE]
  for (const statement of parse(code).body) {
    const text = code.slice(statement.start, statement.end)
    const { left, right } = (statement.type === 'ExpressionStatement' && statement.expression) || {}
    if (left?.type === 'MemberExpression' && left.object.name === 'exports') {
      lines.push(`export const ${left.property.name} = ${code.slice(right.start, right.end)};`)
    } else if (soleDeclarator(statement) || isTaking(statement)) lines.push(text)
    else if (!isExport(statement) && statement.directive !== 'use strict') {
      throw new Unrecognised(code, statement, 'an entry point does more than to hand names out')
    }
  }
  return `${lines.join('\n')}\n`
}

/** What was parsed last: what one rewrite has made is looked at by the next. */
let last = { code: undefined, program: undefined }

function parse(code) {
  if (last.code !== code) last = { code, program: parseAst(code, { lang: 'js', sourceType: 'script' }) }
  return last.program
}

/** Calls `visit` with every node and those it is in, outermost first. */
function walk(node, parents, visit) {
  visit(node, parents)
  parents.push(node)
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child?.type === 'string') walk(child, parents, visit)
    }
  }
  parents.pop()
}

/** Code with pieces of it replaced; those at one place stand in the order in which they were given. */
function apply(code, edits) {
  let made = ''
  let from = 0
  for (const { start, end, text } of edits.sort((a, b) => a.start - b.start)) {
    if (start < from) throw new Unrecognised(code, { start, end }, 'two rewrites of one place')
    made += code.slice(from, start) + text
    from = end
  }
  return made + code.slice(from)
}

function isRequire(node) {
  const { type, callee, arguments: given } = node
  return type === 'CallExpression' && callee.name === 'require' && given[0]?.type === 'Literal'
}

function isFunction({ type }) {
  return type === 'FunctionExpression' || type === 'FunctionDeclaration' || type === 'ArrowFunctionExpression'
}

/** The declarator of `const a = …` and the like, of one name alone. */
function soleDeclarator(statement) {
  if (statement.type !== 'VariableDeclaration' || statement.declarations.length !== 1) return undefined
  return statement.declarations[0].id.type === 'Identifier' ? statement.declarations[0] : undefined
}

/** `Object.defineProperty(exports, …)` */
function isExport(statement) {
  const { callee, arguments: given } = (statement.type === 'ExpressionStatement' && statement.expression) || {}
  return callee?.property?.name === 'defineProperty' && callee.object.name === 'Object' && given[0]?.name === 'exports'
}

/** What `takingParts` has put in front. */
function isTaking({ type, consequent }) {
  return type === 'IfStatement' && consequent.expression?.callee?.property?.name === 'takeParts'
}

/** What a function of one `return` gives. */
function returned(node) {
  const [statement, ...more] = node?.body?.body ?? []
  return more.length === 0 && statement?.type === 'ReturnStatement' ? statement.argument : undefined
}

/** A name that says which member, not which variable. */
function isKey(node, parent) {
  if (parent.type === 'MemberExpression') return parent.property === node && !parent.computed
  if (parent.type === 'Property') return parent.key === node && !parent.computed
  if (parent.type === 'MethodDefinition' || parent.type === 'PropertyDefinition')
    return parent.key === node && !parent.computed
  return parent.type === 'LabeledStatement' || parent.type === 'BreakStatement' || parent.type === 'ContinueStatement'
}

/** Whether a name is declared or assigned where it stands, in whatever pattern. */
function bindingOf(node, parents) {
  let inner = node
  for (const parent of parents.toReversed()) {
    if (parent.type === 'Property' && parent.value !== inner) return undefined
    if (isFunction(parent)) return parent.id === inner || parent.params.includes(inner) ? 'declared' : undefined
    const part = BINDS[parent.type]
    if (part !== undefined)
      return parent[part] === inner ? (part === 'id' || part === 'param' ? 'declared' : 'assigned') : undefined
    if (!PATTERNS.includes(parent.type)) return undefined
    inner = parent
  }
  return undefined
}

/** What binds names, and which part of it has them. */
const BINDS = {
  VariableDeclarator: 'id',
  ClassDeclaration: 'id',
  ClassExpression: 'id',
  CatchClause: 'param',
  AssignmentExpression: 'left',
  UpdateExpression: 'argument',
  ForInStatement: 'left',
  ForOfStatement: 'left',
}
const PATTERNS = ['Property', 'ObjectPattern', 'ArrayPattern', 'RestElement', 'AssignmentPattern']

/** What `new` calls, where that begins with this name. */
function calleeOfNew(node, parents) {
  let inner = node
  for (const parent of parents.toReversed()) {
    if (parent.type === 'NewExpression') return parent.callee === inner ? inner : undefined
    if (parent.type !== 'MemberExpression' || parent.object !== inner) return undefined
    inner = parent
  }
  return undefined
}
