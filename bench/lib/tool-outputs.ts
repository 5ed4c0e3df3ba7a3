// Whether a tool and kerndex did the same work, judged by what both printed. Each comparison throws where they differ, and says in
// words how much was the same.

/** Which attributes a tool prints differs from version to version. */
const ATTRIBUTE = / ?__attribute__\(\(.*?\)\)(?=[ ;\n])/g

/** Throws unless two lists are the same. */
export function sameLines(theirs: readonly string[], ours: readonly string[], of: string): string {
  const other = theirs.findIndex((line, i) => line !== ours[i])
  if (theirs.length === 0) throw new Error(`no ${of} to compare`)
  if (other >= 0) throw new Error(`other answers: "${theirs[other]}" against "${ours[other]}"`)
  if (theirs.length !== ours.length) throw new Error(`${theirs.length} against ${ours.length} ${of}`)
  return `${theirs.length} ${of}, the same`
}

/** Newer versions of bpftool, as kerndex, print attributes and declare kernel functions; older ones do not. */
export function compareHeaders(theirs: string, ours: string): string {
  const linesOf = (text: string) => text.replaceAll(ATTRIBUTE, '').split('\n')
  const printed = new Map<string, number>()
  for (const line of linesOf(ours)) printed.set(line, (printed.get(line) ?? 0) + 1)
  const lines = linesOf(theirs)
  for (const line of lines) {
    const left = printed.get(line) ?? 0
    if (left === 0) throw new Error(`kerndex does not print "${line}"`)
    printed.set(line, left - 1)
  }
  return `${lines.length} lines, all printed by kerndex too`
}

/** The members of a printed layout: name, offset, size. */
export function placesOf(text: string): string[] {
  const plain = text.replaceAll(ATTRIBUTE, '')
  const members = plain.matchAll(/^\s+([^{}]*?);\s+\/\*\s+(\d+)(?::\s*\d+)?\s+(\d+)\s+\*\/$/gm)
  return [...members].map(([, declaration = '', offset, size]) => {
    // The name of a function pointer stands inside; any other name stands last, before array bounds and bits.
    const [, name] = /\(\*\s*(\w+)/.exec(declaration) ?? /(\w+)\s*(?:\[\d*\]\s*)*(?::\s*\d+)?$/.exec(declaration) ?? []
    return `${name} ${offset} ${size}`
  })
}

/** Function names of a list of kprobes, in order of the alphabet. */
export function functionsOf(text: string): string[] {
  return [...new Set(text.match(/^kprobe:\S+$/gm)?.map((line) => line.split(':').at(-1)!))].sort()
}

/** An address and what a tool names it: symbol+0xoffset. */
export interface Frame {
  readonly address: string
  readonly name: string
}

/** Frames of kernel addresses as perf prints them. */
export function framesOf(text: string): Frame[] {
  return [...text.matchAll(/^\s+([0-9a-f]{16}) (\S+)$/gm)].map(([, address, name]) => ({
    address: address!,
    name: name!,
  }))
}

/** Names as blazecli prints them, with the symbol's address and the offset behind it; inlined frames are none of them. */
export function blazecliFrames(text: string): Frame[] {
  return [...text.matchAll(/^0x([0-9a-f]+): (?:(\S+) @ 0x[0-9a-f]+\+(0x[0-9a-f]+)|(<no-symbol>))/gm)].map(
    ([, address, name, offset, none]) => ({ address: address!, name: none ?? `${name}+${offset}` }),
  )
}

/** Names as the script for drgn prints them. */
export function drgnFrames(text: string): Frame[] {
  return [...text.matchAll(/^([0-9a-f]{16}) (\S+)$/gm)].map(([, address, name]) => ({ address: address!, name: name! }))
}

/** Frames are the same if name and offset are; another alias at the same offset is counted, not refused. */
export const compareFrames = (by: string, read: (text: string) => Frame[]) => (theirs: string, ours: string) => {
  const frames = read(theirs)
  if (frames.length === 0) throw new Error(`${by} named nothing`)
  const answers = ours.trimEnd().split('\n')
  if (answers.length !== frames.length) throw new Error(`${frames.length} frames and ${answers.length} answers`)
  let aliases = 0
  for (const [i, { address, name }] of frames.entries()) {
    const [, symbol] = /^0x[0-9a-f]+\s+([^/\s]+)/.exec(answers[i] ?? '') ?? []
    if (symbol === name) continue
    if (symbol?.split('+')[1] !== name.split('+')[1])
      throw new Error(`${address} is ${name} by ${by}, ${symbol} by kerndex`)
    aliases++
  }
  return `${frames.length} frames, the same names${aliases > 0 ? ` but ${aliases} aliases` : ''}`
}
