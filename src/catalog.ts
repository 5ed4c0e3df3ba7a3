// The public names of `kerndex/catalog`: builds of kernels and modules, known once, and the layouts of hosts that run them.

export { type BuildMatch, type BuildSymbol, BuildSymbols } from './catalog/build-symbols.ts'
export type { BuildIdentity } from './catalog/entry.ts'
export type { Anchor } from './catalog/image.ts'
export type { HostLayout, LayoutModule } from './catalog/layout.ts'
export type { MissingModule, Placement, UnplacedSymbol } from './catalog/place.ts'
export { type FoundSlide, findSlide } from './catalog/slide.ts'
export { HostHistory, type PastAnswer, type PastHost } from './host-history.ts'
export type { CatalogAdded } from './load/catalog.ts'
export type { CatalogEntry } from './load/catalog-travel.ts'
export { type LayoutOptions, type LayoutSummary, parseLayout, readLayout, writeLayout } from './load/layout-file.ts'
export {
  Catalog,
  type CatalogAddOptions,
  type CatalogExportOptions,
  type CatalogOptions,
  openCatalog,
  type PlaceOptions,
} from './open-catalog.ts'
