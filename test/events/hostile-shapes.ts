// Hostile shapes of text: everything that a format's own lines are made of, repeated at every place of a valid line. What
// takes more than linear time over any input does so over one that repeats what the format itself separates with.

/** A text that can be made as long as one likes. */
export interface Shape {
  /** What is repeated, and where. */
  readonly what: string
  /** Whether it is one character that is repeated, or a part of a line. */
  readonly of: 'character' | 'part'
  /** The text, with so many bytes of what is repeated. */
  fill(bytes: number): string
}

/** Fillers that no format has to hold: patterns are written in terms of these classes. */
const COMMON = [' ', '0', 'a', 'Z', '\r']
/** How often the kind of token that a repeated part begins with may stand in it. */
const MOST_PERIODS = 4

/**
 * Words, numbers, and all else by single characters, and runs of blanks as one: a format separates by the latter.
 */
function tokensOf(line: string): string[] {
  return line.match(/[A-Za-z_]+|[0-9]+|[ \t]+|[\s\S]/g) ?? []
}

/** What kind of token it is: separators are kinds of their own. */
function kindOf(token: string | undefined): string {
  if (token === undefined) return 'end'
  return /^\w/.test(token) ? (/^\d/.test(token) ? 'number' : 'word') : token.charAt(0)
}

/**
 * All shapes of a record, which is lines that belong together: each of its lines in turn is the hostile one, the others
 * stand around it as they are.
 */
export function shapesOf(record: readonly string[]): Shape[] {
  const shapes: Shape[] = []
  const kinds = new Set(record.flatMap((line) => tokensOf(line).filter((token) => !/^\w/.test(token))))
  const singles = [...new Set([...COMMON, ...Array.from(kinds, (token) => token.charAt(0))])]
  record.forEach((line, number) => {
    const around = (hostile: string) =>
      [...record.slice(0, number), hostile, ...record.slice(number + 1), ''].join('\n')
    const add = (of: Shape['of'], place: string, before: string, filler: string, after: string) => {
      const what = `line ${number}: ${JSON.stringify(filler)} ${place}`
      const whole = (bytes: number, end: string) => around(`${before}${filler.repeat(bytes / filler.length + 1)}${end}`)
      shapes.push({ what: `${what}, then the rest`, of, fill: (bytes) => whole(bytes, after) })
      // A return within a line is no blank to some patterns and an end to others.
      shapes.push({ what: `${what}, then what fits nowhere`, of, fill: (bytes) => whole(bytes, `${after}\r!\0`) })
      if (of === 'part') shapes.push({ what: `${what}, then nothing`, of, fill: (bytes) => whole(bytes, '') })
    }
    const tokens = tokensOf(line)
    const text = (from: number, to: number) => tokens.slice(from, to).join('')
    const places = new Set<string>()
    const fillers = new Set<string>()
    for (let i = 0; i <= tokens.length; i++) {
      // One character, at each place between tokens of other kinds.
      const place = `${kindOf(tokens[i - 1])} ${kindOf(tokens[i])}`
      if (!places.has(place)) {
        for (const filler of singles) add('character', `at token ${i}`, text(0, i), filler, text(i, tokens.length))
      }
      places.add(place)
      // Parts that end before a token like their first: repeated, they go on as the line itself does.
      let periods = 0
      for (let j = i + 1; j <= tokens.length && periods < MOST_PERIODS; j++) {
        const filler = text(i, j)
        if (kindOf(tokens[j]) !== kindOf(tokens[i]) || filler.length < 2) continue
        periods++
        if (!fillers.has(filler)) add('part', 'in its place', text(0, i), filler, text(j, tokens.length))
        fillers.add(filler)
      }
    }
    const again = `${line}\n`
    shapes.push({
      what: `line ${number}, over and over`,
      of: 'part',
      fill: (bytes) => around(again.repeat(bytes / again.length + 1)),
    })
  })
  return shapes
}
