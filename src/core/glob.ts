// Shell-like patterns over names: `*`, `?`, `[a-z]`, `[!a-z]`. Matching takes time proportional to pattern × name.

/** One position of a pattern: any text, any character, or one of some characters. */
type Piece = { readonly any: true } | { readonly any: false; readonly matches: (unit: number) => boolean }

/** Whether a text has characters that are special in a pattern. */
export function isGlob(text: string): boolean {
  return /[*?[]/.test(text)
}

/** The text before the first special character: every match begins with it. */
export function globPrefix(pattern: string): string {
  return /^[^*?[]*/.exec(pattern)![0]
}

/** Compiles a pattern that must match a whole name. A `[` without its `]` stands for itself. */
export function compileGlob(pattern: string): (name: string) => boolean {
  const pieces = parse(pattern)
  return (name) => {
    let at = 0
    let piece = 0
    // Where to go on after the last `*` if the rest does not fit: one character further each time.
    let star = -1
    let retry = 0
    while (at < name.length) {
      const wanted = pieces[piece]
      if (wanted?.any) {
        if (piece === pieces.length - 1) return true
        star = piece++
        retry = at
      } else if (wanted?.matches(name.charCodeAt(at))) {
        piece++
        at++
      } else if (star >= 0) {
        piece = star + 1
        at = ++retry
      } else return false
    }
    while (pieces[piece]?.any) piece++
    return piece === pieces.length
  }
}

function parse(pattern: string): Piece[] {
  const pieces: Piece[] = []
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i]!
    if (char === '*') pieces.push({ any: true })
    else if (char === '?') pieces.push({ any: false, matches: () => true })
    else {
      // A `]` right after the opening is a member, not the end.
      const end = char === '[' ? pattern.indexOf(']', /[!^]/.test(pattern[i + 1] ?? '') ? i + 3 : i + 2) : -1
      if (end < 0) {
        const unit = pattern.charCodeAt(i)
        pieces.push({ any: false, matches: (each) => each === unit })
      } else {
        pieces.push({ any: false, matches: parseClass(pattern.slice(i + 1, end)) })
        i = end
      }
    }
  }
  return pieces
}

function parseClass(text: string): (unit: number) => boolean {
  const negated = text.startsWith('!') || text.startsWith('^')
  const body = negated ? text.slice(1) : text
  const ranges: [number, number][] = []
  for (let i = 0; i < body.length; i++) {
    const from = body.charCodeAt(i)
    if (body[i + 1] === '-' && i + 2 < body.length) {
      ranges.push([from, body.charCodeAt(i + 2)])
      i += 2
    } else ranges.push([from, from])
  }
  return (unit) => ranges.some(([from, to]) => unit >= from && unit <= to) !== negated
}
