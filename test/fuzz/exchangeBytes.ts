import { connect } from 'node:net';

export interface BytesResponse {
  /** `undefined` when the connection ended without a response. */
  readonly status: number | undefined;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** Without chunked encoding. */
  readonly body: string;
  /** Whether the body is complete according to the headers. */
  readonly isWhole: boolean;
}

/** Sends bytes on a new connection and reads until the server closes it. With `endsEarly`, the client closes its side after
 *  the bytes, as a client that dies does; otherwise the bytes should have `connection: close`. */
export function exchangeBytes(url: string, bytes: Buffer, endsEarly: boolean): Promise<BytesResponse> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) });
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A server may reset the connection after it has rejected a request that is still being sent.
    socket.on('error', () => {});
    socket.once('close', () => resolve(parseAnswer(Buffer.concat(chunks))));
    if (endsEarly) socket.end(bytes);
    else socket.write(bytes);
  });
}

function parseAnswer(received: Buffer): BytesResponse {
  const headEnd = received.indexOf('\r\n\r\n');
  if (headEnd === -1) return { status: undefined, headers: new Map(), body: '', isWhole: false };
  const [statusLine = '', ...lines] = received.toString('latin1', 0, headEnd).split('\r\n');
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const status = Number(statusLine.split(' ')[1]);
  const rest = received.subarray(headEnd + 4);
  if (status === 100) return parseAnswer(rest);
  if (headers.get('transfer-encoding') === 'chunked') return { status, headers, ...parseChunks(rest) };
  const length = Number(headers.get('content-length') ?? 0);
  return { status, headers, body: rest.toString(), isWhole: rest.length === length };
}

function parseChunks(bytes: Buffer): Pick<BytesResponse, 'body' | 'isWhole'> {
  const pieces: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (lineEnd === -1 || Number.isNaN(size))
      return { body: Buffer.concat(pieces).toString(), isWhole: false };
    const start = lineEnd + 2;
    if (size === 0) return { body: Buffer.concat(pieces).toString(), isWhole: start + 2 === bytes.length };
    pieces.push(bytes.subarray(start, start + size));
    at = start + size + 2;
  }
}
