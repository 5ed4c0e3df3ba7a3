// Packages that are modules, read when they are first needed. Only files of this name may import while a program runs: compiled code that
// was kept (code-cache.ts) cannot, and the bundler ends the build where it would have to.

export const readPLimit = async () => (await import('p-limit')).default

export const readPiscina = async () => (await import('piscina')).Piscina
