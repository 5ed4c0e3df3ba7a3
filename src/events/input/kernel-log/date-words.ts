// The words of which dates and times of day are made in front of a line.

import { isDigit } from '../characters.ts'

const MONTHS = new Set(['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'])
const WEEKDAYS = new Set(['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'])

/** Whether a word is the short name of a month or of a day. */
export function isDateName(word: string): boolean {
  return MONTHS.has(word) || WEEKDAYS.has(word)
}

/** Whether a word is part of a date or a time of day. */
export function isTimeWord(word: string): boolean {
  if (isDateName(word) || word === 'UTC') return true
  if (!isDigit(word.charCodeAt(0))) return false
  return (
    /^\d{1,2}$/.test(word) ||
    /^\d\d:\d\d(?::\d\d)?(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?:?$/.test(word) ||
    /^\d{4}-\d\d-\d\d(?:T[\d:.,]{5,18}(?:Z|[+-]\d\d:?\d\d)?)?$/.test(word) ||
    /^\d\d-\d\d$/.test(word) ||
    /^\d{4}$/.test(word) ||
    /^\d{9,11}\.\d{3,9}$/.test(word) ||
    /^\d{1,10}\.\d{6,9}:?$/.test(word) ||
    /^\d{13,19}$/.test(word)
  )
}
