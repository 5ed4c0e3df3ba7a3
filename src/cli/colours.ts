// Colours for people: on a terminal only, and never where NO_COLOR is set, whatever else the environment says.

import pico from 'picocolors'

/** Whether what is printed may be coloured. */
export const coloured = process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb'

/** Functions that colour text, or leave it as it is. */
export const colours = pico.createColors(coloured)
