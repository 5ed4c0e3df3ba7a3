// What kerndex uses of WebAssembly: TypeScript knows it only as a part of the browser's library.

declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array)
  }
  class Memory {
    constructor(descriptor: { initial: number; maximum: number; shared: true })
    readonly buffer: SharedArrayBuffer
    /** Pages of 64 KiB. @throws RangeError beyond the maximum, or where there is no room. */
    grow(pages: number): number
  }
  class Instance {
    constructor(module: Module, imports: Readonly<Record<string, Readonly<Record<string, object>>>>)
    readonly exports: object
  }
}
