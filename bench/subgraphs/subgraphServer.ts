import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { CannedAnswers } from './cannedAnswers.ts';

interface Delay {
  /** A field's name: only requests whose body contains it are delayed. */
  readonly text: string;
  readonly delayMs: number;
}

interface SubgraphServer {
  readonly server: Server;
  /** The number of requests answered since the start. */
  requestCount(): number;
  /** Of these, the number without an `authorization` header. */
  anonymousCount(): number;
  setDelay(delay: Delay | undefined): void;
}

/** @param latencyMs added to every response; 0 responds in the same turn of the event loop */
export function createSubgraphServer(answers: CannedAnswers, latencyMs: number): SubgraphServer {
  let requests = 0;
  let anonymous = 0;
  let delay: Delay | undefined;
  const server = createServer((request, response) => {
    // No target reads the date, and creating it costs as much as the rest of the head.
    response.sendDate = false;
    // As a collector of traces, the server drops them.
    if (request.url === '/v1/traces') {
      request.resume().on('end', () => response.writeHead(200).end());
      return;
    }
    readBody(request, (body) => {
      requests++;
      if (request.headers.authorization === undefined) anonymous++;
      const wait = latencyMs + (delay && body.includes(delay.text) ? delay.delayMs : 0);
      if (wait > 0) setTimeout(() => respond(response, answers, body), wait);
      else respond(response, answers, body);
    });
  });
  // Longer than any pause between rounds. Closing a connection just when a target reuses it would count as the
  // target's error.
  server.keepAliveTimeout = 3_600_000;
  return {
    server,
    requestCount: () => requests,
    anonymousCount: () => anonymous,
    setDelay: (next) => {
      delay = next;
    },
  };
}

function readBody(request: IncomingMessage, onBody: (body: string) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const [only] = chunks;
    onBody((chunks.length === 1 && only ? only : Buffer.concat(chunks)).toString());
  });
}

function respond(response: ServerResponse, answers: CannedAnswers, body: string): void {
  const answer = answers.answer(body);
  if (answer instanceof Promise) {
    answer.then(
      (bytes) => send(response, 200, bytes),
      (error: unknown) =>
        send(response, 400, Buffer.from(JSON.stringify({ errors: [{ message: String(error) }] }))),
    );
  } else {
    send(response, 200, answer);
  }
}

function send(response: ServerResponse, status: number, bytes: Buffer): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length });
  response.end(bytes);
}
