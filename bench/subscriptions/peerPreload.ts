/** Loaded into the process of another gateway before its own program. Reports the URL to the parent as soon as the
 *  gateway listens, and its memory on request. */
import { tracingChannel } from 'node:diagnostics_channel';
import type { AddressInfo, Server } from 'node:net';
import { reportMemory } from './memoryReports.ts';

reportMemory();
tracingChannel('net.server.listen').asyncEnd.subscribe((message) => {
  const { server } = message as { readonly server: Server };
  const { port } = server.address() as AddressInfo;
  process.send?.({ url: `http://127.0.0.1:${port}/graphql` });
});
