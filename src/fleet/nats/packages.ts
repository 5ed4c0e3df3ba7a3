// The clients of NATS, which are optional peers of this package: read when they are first needed, as in core/packages.ts.

export const readNatsPackages = () =>
  Promise.all([import('@nats-io/transport-node'), import('@nats-io/jetstream'), import('@nats-io/obj')])
