import { randomUuid } from '../../telemetry/randomIds.ts';

// The id is written to log lines and to headers for subgraphs: no spaces, quotes or line breaks, and a bounded length.
const requestIdPattern = /^[A-Za-z0-9._:/@+=-]{1,128}$/;

/** The client's `x-request-id` if it is safe to log and forward, otherwise a new id. */
export function chooseRequestId(header: string | readonly string[] | undefined): string {
  return typeof header === 'string' && requestIdPattern.test(header) ? header : randomUuid();
}
