import { randomUUID } from 'node:crypto';

// What stands in log lines and in headers to subgraphs: no spaces, quotes or line ends, and not endless.
const requestIdPattern = /^[A-Za-z0-9._:/@+=-]{1,128}$/;

/** The client's `x-request-id` where it can be kept, else a new one. */
export function chooseRequestId(header: string | readonly string[] | undefined): string {
  return typeof header === 'string' && requestIdPattern.test(header) ? header : randomUUID();
}
