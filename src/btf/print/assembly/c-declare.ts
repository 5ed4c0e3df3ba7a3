// C declarations: a type around a name (`int (*name)(void)`), with anonymous structs and enums written out in place, whose members are
// declarations again; typedefs. The syntax of every detail is that of libbpf's btf_dump, so that headers agree byte for byte.

import {
  ARRAY,
  ENUM,
  FORWARD,
  MAX_CHAIN,
  MAX_NESTING,
  POINTER,
  PROTOTYPE,
  QUALIFIER,
  REFUSED_CHAIN,
  REFUSED_DECLARATION,
  REFUSED_NESTING,
  SCALAR,
  STATE_CHAIN,
  STRUCT,
  TEXT_ATTRIBUTE,
  TEXT_ATTRIBUTE_END,
  TEXT_ENUM,
  TEXT_GNUC_VA_LIST,
  TEXT_GNUC_VA_LIST_TYPEDEF,
  TEXT_PACKED,
  TEXT_STRUCT,
  TEXT_TYPE_TAG,
  TEXT_TYPE_TAG_END,
  TEXT_TYPEDEF,
  TEXT_UNION,
  TEXT_VOID,
  TYPE_TAG,
  TYPEDEF,
  UNION,
  VOID,
} from '../c-constants'
import { isPacked, memberAlign, sizeOf } from './c-align'
import { putEnum } from './c-enum'
import { putNumbered, putTag, tagNumber, typedefNumber } from './c-names'
import { putPadding, putWidth } from './c-padding'
import { put, putLine, putName, putNumber, putText, textAt } from './c-text'
import {
  flagOf,
  isNamed,
  kindNumberOf,
  nameAt,
  nameOf,
  recordOf,
  refOf,
  refuse,
  roleOf,
  sameName,
  vlenOf,
} from './c-types'

const SPACE: u8 = 0x20
const STAR: u8 = 0x2a
const COMMA: u8 = 0x2c
const DOT: u8 = 0x2e
const OPEN: u8 = 0x28
const CLOSE: u8 = 0x29
const SEMICOLON: u8 = 0x3b
const OPEN_STRUCT: u8 = 0x7b
const CLOSE_STRUCT: u8 = 0x7d
const OPEN_ARRAY: u8 = 0x5b
const CLOSE_ARRAY: u8 = 0x5d

/** Where the next chain goes: ids of types from the declared one to the one it is made of, in words. */
let top: usize = 0
let depth: u32 = 0

export function openDeclarations(state: usize): void {
  top = <usize>load<u32>(state, STATE_CHAIN)
  depth = 0
}

/** Notes that a struct or a parameter list in place begins. */
function enter(id: u32): void {
  if (++depth > <u32>MAX_NESTING) refuse(REFUSED_NESTING, id)
}

function leave(): void {
  depth--
}

/** Whether a declaration carries such a type along with the one behind it: a qualifier or a tag. */
function isCarried(role: u32): bool {
  return role === QUALIFIER || role === TYPE_TAG
}

function roleAt(link: usize): u32 {
  return roleOf(recordOf(load<u32>(link)))
}

/** The declaration of a name with a type; without a name, the type alone. */
export function putDeclaration(type: u32, name: usize, number: u32, level: u32): void {
  const bottom = top
  takeChain(type)
  putBefore(bottom, name, level)
  putNumbered(name, number)
  putBehind(bottom, level)
  top = bottom
}

function takeChain(type: u32): void {
  let id = type
  for (let left = MAX_CHAIN; ; left--) {
    if (left === 0) refuse(REFUSED_CHAIN, type)
    store<u32>(top, id)
    top += 4
    const record = recordOf(id)
    const role = roleOf(record)
    if (role === ARRAY) id = load<u32>(record, 12)
    else if (role === POINTER || role === PROTOTYPE || isCarried(role)) id = refOf(record)
    else return
  }
}

/** Writes what stands before the name: the types of the chain from its end on. */
function putBefore(bottom: usize, name: usize, level: u32): void {
  let afterPointer = true
  let link = top
  while (link > bottom) {
    link -= 4
    const role = roleAt(link)
    if (role === ARRAY || role === PROTOTYPE) {
      // GCC repeats the element's qualifiers on an array, and marks functions that do not return as volatile; C has no place for either.
      while (link > bottom && isCarried(roleAt(link - 4))) link -= 4
      if (link === bottom) break
      if (role === PROTOTYPE) {
        put(SPACE)
        put(OPEN)
      } else {
        if (load<u8>(name) !== 0 && !afterPointer) put(SPACE)
        if (roleAt(link - 4) !== ARRAY) put(OPEN)
      }
      afterPointer = true
      continue
    }
    const id = load<u32>(link)
    if (role === POINTER) {
      if (!afterPointer) put(SPACE)
      put(STAR)
    } else if (role === QUALIFIER) {
      put(SPACE)
      putText(kindNumberOf(recordOf(id)))
    } else {
      link = putQualifiers(bottom, link)
      if (role === TYPE_TAG) putTypeTag(recordOf(id))
      else putBase(id, role, level)
    }
    afterPointer = role === POINTER
  }
  if (load<u8>(name) !== 0 && !afterPointer) put(SPACE)
}

/** Writes the qualifiers that are next in the chain; where it goes on. */
function putQualifiers(bottom: usize, from: usize): usize {
  let link = from
  while (link > bottom && roleAt(link - 4) === QUALIFIER) {
    link -= 4
    putText(kindNumberOf(recordOf(load<u32>(link))))
    put(SPACE)
  }
  return link
}

function putTypeTag(record: usize): void {
  const isAttribute = flagOf(record)
  putText(isAttribute ? TEXT_ATTRIBUTE : TEXT_TYPE_TAG)
  putName(nameOf(record))
  putText(isAttribute ? TEXT_ATTRIBUTE_END : TEXT_TYPE_TAG_END)
}

/** Writes the type that a chain ends with. */
function putBase(id: u32, role: u32, level: u32): void {
  const record = recordOf(id)
  if (role === VOID) putText(TEXT_VOID)
  else if (role === SCALAR) putName(nameOf(record))
  else if (role === TYPEDEF) putNumbered(nameOf(record), typedefNumber(id))
  else if (role === STRUCT || role === UNION) {
    if (isNamed(record)) putStructTag(id, role)
    else putStruct(id, level)
  } else if (role === ENUM) {
    if (isNamed(record)) {
      putText(TEXT_ENUM)
      put(SPACE)
      putTag(id)
    } else putEnum(id, level)
  } else if (role === FORWARD) putForward(id)
  else refuse(REFUSED_DECLARATION, id)
}

/** `struct name` or `union name`. */
export function putStructTag(id: u32, role: u32): void {
  const number = tagNumber(id)
  const name = nameOf(recordOf(id))
  putText(role === STRUCT ? TEXT_STRUCT : TEXT_UNION)
  if (load<u8>(name) === 0) return
  put(SPACE)
  putNumbered(name, number)
}

/** The forward declaration a FORWARD stands for. */
export function putForward(id: u32): void {
  putText(flagOf(recordOf(id)) ? TEXT_UNION : TEXT_STRUCT)
  put(SPACE)
  putTag(id)
}

/** Writes what stands behind the name: what arrays and functions of the chain have there, from the name on. */
function putBehind(bottom: usize, level: u32): void {
  const end = top
  /** What is nearer to the name, but for what arrays and functions drop. */
  let inner: u32 = VOID
  for (let link = bottom; link < end; link += 4) {
    const id = load<u32>(link)
    const record = recordOf(id)
    const role = roleOf(record)
    if (isCarried(role)) continue
    if (role === ARRAY) {
      if (inner !== VOID && inner !== ARRAY) put(CLOSE)
      put(OPEN_ARRAY)
      putNumber(<u64>load<u32>(record, 20))
      put(CLOSE_ARRAY)
    } else if (role === PROTOTYPE) {
      if (inner !== VOID) put(CLOSE)
      putParams(id, record, level)
    }
    inner = role
  }
}

function putParams(id: u32, record: usize, level: u32): void {
  const vlen = vlenOf(record)
  put(OPEN)
  if (vlen === 0 || (vlen === 1 && load<u32>(record, 16) === 0)) putText(TEXT_VOID)
  else {
    enter(id)
    let param = record + 12
    for (let left = vlen; left > 0; left--, param += 8) {
      if (left < vlen) {
        put(COMMA)
        put(SPACE)
      }
      const type = load<u32>(param, 4)
      if (type === 0 && left === 1) for (let dots = 0; dots < 3; dots++) put(DOT)
      else putDeclaration(type, nameAt(load<u32>(param)), 1, level)
    }
    leave()
  }
  put(CLOSE)
}

/** A struct or a union with its members, whose declarations may have others in place. */
export function putStruct(id: u32, level: u32): void {
  enter(id)
  const record = recordOf(id)
  const role = roleOf(record)
  const hasBits = flagOf(record)
  const vlen = vlenOf(record)
  const packed = role === STRUCT && isPacked(record)
  putStructTag(id, role)
  put(SPACE)
  put(OPEN_STRUCT)
  let end: u64 = 0
  let afterBitfield = false
  let member = record + 12
  for (let left = vlen; left > 0; left--, member += 12) {
    const type = load<u32>(member, 4)
    const word = load<u32>(member, 8)
    const offset = <u64>(hasBits ? word & 0xffffff : word)
    const bits = <u64>(hasBits ? word >> 24 : 0)
    if (end < offset) putPadding(end, offset, packed ? 1 : memberAlign(type), afterBitfield && bits !== 0, level + 1)
    putLine(level + 1)
    putDeclaration(type, nameAt(load<u32>(member)), 1, level + 1)
    if (bits !== 0) {
      putWidth(bits)
      end = offset + bits
    } else end = offset + (sizeOf(type) << 3)
    afterBitfield = bits !== 0
    put(SEMICOLON)
  }
  const size = refOf(record)
  if (role === STRUCT) putPadding(end, (<u64>size) << 3, memberAlign(id), false, level + 1)
  if (vlen > 0 || size > 0) putLine(level)
  put(CLOSE_STRUCT)
  if (packed) putText(TEXT_PACKED)
  leave()
}

/** `typedef … name`. */
export function putTypedef(id: u32): void {
  const record = recordOf(id)
  const name = nameOf(record)
  const target = refOf(record)
  const number = typedefNumber(id)
  // Old GCC describes this one as a typedef of void, which would not compile.
  if (target === 0 && number === 1 && sameName(name, textAt(TEXT_GNUC_VA_LIST))) putText(TEXT_GNUC_VA_LIST_TYPEDEF)
  else {
    putText(TEXT_TYPEDEF)
    putDeclaration(target, name, number, 0)
  }
}
