// Names as text of HTML and XML: nothing in them is markup, and characters that XML cannot hold are shown.

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const UNSEEN = /[\0-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]/gu

/** The text with characters that act instead of being seen (controls, directions) as their numbers. */
export function shown(text: string): string {
  return text.replace(UNSEEN, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Text that stands for itself in an element and in an attribute. */
export function xmlText(text: string): string {
  return shown(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}

/** JSON that cannot end the script element it stands in. */
export function scriptSafe(json: string): string {
  return json.replaceAll('<', '\\u003c')
}
