import {
  type Exchange,
  type RecordedRequest,
  type ScriptedSubgraph,
  startScriptedSubgraph,
} from '../../../harness/scriptedSubgraph.ts';

/** One response that a test writes piece by piece. */
export interface OpenStream {
  readonly request: RecordedRequest;
  readonly exchange: Exchange;
  /** Starts a chunked response. */
  begin(contentType: string, headers?: string): void;
  write(bytes: string | Buffer): void;
  /** Ends the response as HTTP defines it. */
  finish(): void;
}

export interface StreamUpstream extends AsyncDisposable {
  readonly url: string;
  readonly subgraph: ScriptedSubgraph;
  /** Resolves with the next request. */
  next(): Promise<OpenStream>;
}

/** A subgraph whose responses are streams that a test writes. */
export async function startStreamUpstream(): Promise<StreamUpstream> {
  const subgraph = await startScriptedSubgraph();
  const made: OpenStream[] = [];
  const waiting: ((stream: OpenStream) => void)[] = [];
  subgraph.setDefaultScript((exchange) => {
    const stream = openStream(exchange);
    const next = waiting.shift();
    if (next === undefined) made.push(stream);
    else next(stream);
  });
  return {
    url: subgraph.url,
    subgraph,
    next: () =>
      new Promise((resolve) => {
        const stream = made.shift();
        if (stream === undefined) waiting.push(resolve);
        else resolve(stream);
      }),
    [Symbol.asyncDispose]: () => subgraph.close(),
  };
}

function openStream(exchange: Exchange): OpenStream {
  return {
    request: exchange.request,
    exchange,
    begin: (contentType, headers = '') =>
      exchange.write(
        `HTTP/1.1 200 OK\r\ncontent-type: ${contentType}\r\n${headers}transfer-encoding: chunked\r\n\r\n`,
      ),
    write: (bytes) => {
      const chunk = Buffer.from(bytes);
      exchange.write(
        Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]),
      );
    },
    finish: () => exchange.write('0\r\n\r\n'),
  };
}
