// Addresses: 64 bits, `bigint` one at a time, pairs of u32 in bulk, `0x` and 16 digits in text. Never a `number`.

import { bigint, text as checkText } from './arguments.ts'

/** 2^64 - 1, the highest address. */
export const MAX_ADDRESS = 0xffff_ffff_ffff_ffffn

/** An address as JSON and people get it: `0x` and at least 16 hexadecimal digits. */
export function formatAddress(address: bigint): string {
  if (typeof address !== 'bigint') bigint(address, 'address')
  return `0x${address.toString(16).padStart(16, '0')}`
}

/** The address made of two unsigned 32-bit halves. */
export function joinAddress(high: number, low: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low)
}

/** The upper half of an address, unsigned. */
export function highHalf(address: bigint): number {
  return Number(address >> 32n)
}

/** The lower half of an address, unsigned. */
export function lowHalf(address: bigint): number {
  return Number(address & 0xffff_ffffn)
}

/**
 * Reads an address as people and tools write it: hexadecimal, with or without `0x`, at most 16 digits.
 * Returns `undefined` for anything else: a decimal number is not guessed at.
 */
export function parseAddress(text: string): bigint | undefined {
  if (typeof text !== 'string') checkText(text, 'text')
  const digits = /^(?:0[xX])?([0-9a-fA-F]{1,16})$/.exec(text)?.[1]
  return digits === undefined ? undefined : BigInt(`0x${digits}`)
}

/** Whether a value is an unsigned 64-bit integer. */
export function isAddress(value: bigint): boolean {
  return value >= 0n && value <= MAX_ADDRESS
}
