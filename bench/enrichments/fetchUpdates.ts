import { readEvents } from '../../test/harness/readEvents.ts';
import { ClientConnection } from '../clientConnection.ts';

/** The result for a pending path of a first response. */
export interface Update {
  readonly path: readonly (string | number)[];
  readonly data: unknown;
  readonly errors?: readonly unknown[] | null;
  readonly cursor?: string;
}

/** Fetches all updates of a token by server-sent events. With `isInterrupted`, the first connection breaks as soon as
 *  the response begins. At the end, a client that received everything reconnects once more; what it then receives
 *  counts as well and should be nothing. Rejects if the token is invalid or the updates do not end. */
export async function fetchUpdates(
  url: URL,
  token: string,
  isInterrupted: boolean,
): Promise<readonly Update[]> {
  if (isInterrupted) await openAndDisconnect(url, token);
  const updates = await readUpdates(url, token, undefined);
  if (!isInterrupted) return updates;
  return [...updates, ...(await readUpdates(url, token, updates.at(-1)?.cursor))];
}

async function readUpdates(url: URL, token: string, cursor: string | undefined): Promise<readonly Update[]> {
  const connection = new ClientConnection(url);
  try {
    const { status, bodies } = await connection.send(requestFor(url, token, cursor));
    const events = readEvents(bodies.join(''));
    if (status !== 200 || events.at(-1)?.event !== 'complete') {
      throw new Error(`Fetching the updates ended with status ${status}: ${bodies.join('')}`);
    }
    return events.slice(0, -1).map(({ data }) => JSON.parse(data) as Update);
  } finally {
    connection.close();
  }
}

async function openAndDisconnect(url: URL, token: string): Promise<void> {
  const connection = new ClientConnection(url);
  await new Promise<void>((resolve, reject) => {
    connection.send(requestFor(url, token, undefined), resolve).catch(reject);
  });
  connection.close();
}

function requestFor(url: URL, token: string, cursor: string | undefined): Buffer {
  const lines = [
    `GET /enrichments/${token} HTTP/1.1`,
    `host: ${url.host}`,
    'accept: text/event-stream',
    ...(cursor === undefined ? [] : [`last-event-id: ${cursor}`]),
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`);
}
