// A file that holds types: raw BTF or ELF (vmlinux, a module, a BPF object), plain or `.gz`.
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { extractBtf, type FileBtf } from '../btf/blob-file.ts'
import { NotReadableError, UnsupportedError } from '../core/errors.ts'
import { readFailure } from './reader.ts'

const unzip = promisify(gunzip)

/** Most bytes a compressed file may grow to: no vmlinux is larger. */
const MOST_BYTES = 2 ** 31

/**
 * The bytes of a file, unpacked if it is gzipped.
 * @throws NotReadableError, NoPermissionError; UnsupportedError for xz and zstd.
 */
export async function readWhole(path: string): Promise<Buffer> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    throw readFailure(path, error)
  }
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      return await unzip(bytes, { maxOutputLength: MOST_BYTES })
    } catch (error) {
      throw new NotReadableError(`${path}: cannot be unpacked: ${String(error)}`, { path }, { cause: error })
    }
  }
  if (bytes.length >= 6 && bytes.readUIntBE(0, 6) === 0xfd377a585a00) {
    throw new UnsupportedError(`${path}: xz is not read; unpack it first (unxz)`, { path })
  }
  if (bytes.length >= 4 && bytes.readUInt32LE(0) === 0xfd2fb528) {
    throw new UnsupportedError(`${path}: zstd is not read; unpack it first (unzstd)`, { path })
  }
  return bytes
}

/** The types in a file. @throws as `readWhole` and `extractBtf`. */
export async function readBtfFile(path: string): Promise<FileBtf> {
  return extractBtf(await readWhole(path))
}
