import { createHash } from 'node:crypto';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import type { Random } from '../../subgraphs/shared/random.ts';
import { createCaseRandom } from '../harness/fuzzSeeds.ts';
import { validOperations } from './echoGateway.ts';
import { createHeavyOperation } from './heavyOperations.ts';
import { mutateOperation } from './mutateOperation.ts';
import { corruptBytes, createOddJson, oddNames } from './oddValues.ts';

/** A client's request as bytes. */
export interface ClientCase {
  readonly name: string;
  readonly bytes: Buffer;
  /** The client closes its side of the connection after the bytes. */
  readonly endsEarly: boolean;
  /** The request is malformed HTTP: node:http may respond without a body, or not at all. */
  readonly isBrokenHttp: boolean;
}

interface Draft {
  name: string;
  method: string;
  path: string;
  headers: [string, string][];
  body: Buffer;
  endsEarly?: boolean;
  isBrokenHttp?: boolean;
}

/** Creates the request of a seed. */
export function createClientCase(seed: number): ClientCase {
  const random = createCaseRandom(seed);
  const draft = random.pick(random.chance(0.4) ? operationMakers : makers)(random);
  if (random.chance(0.25)) oddHeaders(random, draft);
  const { name, method, path, headers, body, endsEarly = false, isBrokenHttp = false } = draft;
  const has = (wanted: string): boolean => headers.some(([given]) => given.toLowerCase() === wanted);
  const lines = [`${method} ${path} HTTP/1.1`];
  if (!has('host')) lines.push('host: gateway.test');
  lines.push('connection: close');
  if (method !== 'GET' && !has('content-length') && !has('transfer-encoding')) {
    lines.push(`content-length: ${body.length}`);
  }
  for (const [header, value] of headers) lines.push(`${header}: ${value}`);
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  return { name, bytes: Buffer.concat([head, body]), endsEarly, isBrokenHttp };
}

/** Creates only the body of a request with a JSON content type. */
export function createClientBody(random: Random): Buffer {
  return random.pick(bodyMakers)(random).body;
}

type Maker = (random: Random) => Draft;

const brackets: readonly (readonly [string, string])[] = [
  ['[', ']'],
  ['{"inner":', '}'],
];
const gzipBomb = gzipSync(Buffer.alloc(40_000_000, 0x20), { level: 1 });
const brotliBomb = brotliCompressSync(Buffer.alloc(4_000_000, 0x20));

const accepts = [
  'application/json',
  'application/graphql-response+json, application/json;q=0.9',
  'multipart/mixed;deferSpec=20220824, application/json',
  'multipart/mixed;incrementalSpec=v0.2, application/json',
  'multipart/mixed',
  '*/*',
];

function post(random: Random, name: string, body: string | Buffer): Draft {
  return {
    name,
    method: 'POST',
    path: '/graphql',
    headers: [
      ['content-type', 'application/json'],
      ['accept', random.pick(accepts)],
    ],
    body: Buffer.from(body as string),
  };
}

/** JSON text of a request with these members, some of them invalid, repeated or missing. */
function requestText(random: Random, members: Readonly<Record<string, string>>): string {
  const parts = Object.entries(members).flatMap(([key, value]) => {
    if (random.chance(0.1)) return [];
    const own = `${JSON.stringify(key)}:${random.chance(0.2) ? createOddJson(random) : value}`;
    return random.chance(0.05) ? [own, `${JSON.stringify(key)}:${createOddJson(random)}`] : [own];
  });
  if (random.chance(0.2)) parts.push(`${JSON.stringify(random.pick(oddNames))}:${createOddJson(random)}`);
  return `{${parts.join()}}`;
}

function members(query: string, variables: object): Record<string, string> {
  const [, name] = /^(?:query|mutation|subscription)\s+(\w+)/.exec(query) ?? [];
  return {
    query: JSON.stringify(query),
    variables: JSON.stringify(variables),
    ...(name === undefined ? {} : { operationName: JSON.stringify(name) }),
    extensions: '{"clientLibrary":{"name":"fuzz","version":"1"}}',
  };
}

/** Variables with some wrong, missing or additional values. */
function oddVariables(random: Random, variables: object): string {
  const parts = Object.entries(variables).flatMap(([name, value]) => {
    if (random.chance(0.15)) return [];
    return [
      `${JSON.stringify(name)}:${random.chance(0.5) ? createOddJson(random, 3) : JSON.stringify(value)}`,
    ];
  });
  const names = [...oddNames, 'limit', 'filter', 'on', 'id'];
  while (random.chance(0.4)) parts.push(`${JSON.stringify(random.pick(names))}:${createOddJson(random)}`);
  return `{${parts.join()}}`;
}

const createValidBody = (random: Random): string => {
  const { query, variables } = random.pick(validOperations);
  return JSON.stringify({ query, variables });
};

/** Requests that reach the stages after HTTP. */
const operationMakers: readonly Maker[] = [
  function mutatedOperation(random) {
    const { query, variables } = random.pick(validOperations);
    return post(
      random,
      'mutated operation',
      JSON.stringify({ query: mutateOperation(random, query), variables }),
    );
  },
  function wrongVariables(random) {
    const { query, variables } = random.pick(validOperations);
    const text = `{"query":${JSON.stringify(query)},"variables":${oddVariables(random, variables)}}`;
    return post(random, 'wrong variables', text);
  },
  function deepVariables(random) {
    const { query, variables } = random.pick(validOperations);
    const levels = random.pick([50, 99, 101, 3_000, 100_000]);
    const [open, close] = random.pick(brackets);
    const deep = `${open.repeat(levels)}null${close.repeat(levels)}`;
    const parts = [...new Set([...Object.keys(variables), 'any', 'filter'])].map(
      (name) => `"${name}":${deep}`,
    );
    return post(random, 'deep variables', `{"query":${JSON.stringify(query)},"variables":{${parts.join()}}}`);
  },
  function oddMembers(random) {
    const { query, variables } = random.pick(validOperations);
    return post(random, 'odd members', requestText(random, members(query, variables)));
  },
  function heavy(random) {
    const { name, text } = createHeavyOperation(random);
    return post(random, `heavy: ${name}`, JSON.stringify({ query: text }));
  },
];

/** Requests with valid HTTP, except batches. */
const bodyMakers: readonly Maker[] = [
  ...operationMakers,
  function anyJson(random) {
    return post(random, 'any JSON', createOddJson(random, 4));
  },
  function damagedBody(random) {
    return post(random, 'damaged body', corruptBytes(random, Buffer.from(createValidBody(random))));
  },
];

const makers: readonly Maker[] = [
  ...bodyMakers,
  function array(random) {
    const items = Array.from({ length: random.integer(0, 5) }, () =>
      random.chance(0.5) ? createValidBody(random) : createOddJson(random),
    );
    return post(random, 'array', `[${items.join()}]`);
  },
  function encoding(random) {
    const text = Buffer.from(createValidBody(random));
    const codings: [string, Buffer][] = [
      ['gzip', gzipSync(text)],
      ['br', brotliCompressSync(text)],
      ['deflate', deflateSync(text)],
      ['gzip', gzipBomb],
      ['br', brotliBomb],
      ['gzip', text],
      ['br', text],
      ['zstd', text],
      ['gzip, br', gzipSync(text)],
      ['compress', text],
      ['identity', text],
      ['', text],
    ];
    const [coding, bytes] = random.pick(codings);
    const draft = post(random, `coding ${coding}`, random.chance(0.4) ? corruptBytes(random, bytes) : bytes);
    draft.headers.push(['content-encoding', coding]);
    return draft;
  },
  function charset(random) {
    const text = createValidBody(random);
    const texts: Buffer[] = [
      Buffer.from(`\ufeff${text}`),
      Buffer.from(`\ufeff\ufeff${text}`),
      Buffer.from(text, 'utf16le'),
      Buffer.from(`\ufeff${text}`, 'utf16le'),
      Buffer.from(text.replace('"a"', '"\u00e9"'), 'latin1'),
      Buffer.alloc(0),
      Buffer.from('   \n'),
    ];
    const draft = post(random, 'charset', random.pick(texts));
    const types = [
      '',
      '; charset=utf-16',
      '; charset=utf-8',
      '; charset="UTF8"',
      '; charset=latin1',
      '; charset=',
    ];
    draft.headers[0] = ['content-type', `application/json${random.pick(types)}`];
    return draft;
  },
  function persisted(random) {
    const { query } = random.pick(validOperations);
    const hash = createHash('sha256').update(query).digest('hex');
    const hashes = [
      JSON.stringify(hash),
      JSON.stringify(hash.toUpperCase()),
      '"__proto__"',
      createOddJson(random),
    ];
    const version = random.chance(0.5) ? '1' : createOddJson(random);
    const inner = `{"version":${version},"sha256Hash":${random.pick(hashes)}}`;
    const extensions = `{"persistedQuery":${random.chance(0.8) ? inner : createOddJson(random)}}`;
    const sent = random.chance(0.5) ? `"query":${JSON.stringify(query)},` : '';
    return post(
      random,
      'persisted query',
      `{${sent}"variables":{"id":"a","on":true},"extensions":${extensions}}`,
    );
  },
  function get(random) {
    const { query, variables } = random.pick(validOperations);
    const parameters: [string, string][] = [
      ['query', random.chance(0.5) ? query : mutateOperation(random, query)],
      ['variables', random.chance(0.5) ? JSON.stringify(variables) : createOddJson(random)],
      ['extensions', random.chance(0.7) ? '{}' : createOddJson(random)],
      ['operationName', random.pick(['One', 'Two', '', '__proto__', 'constructor'])],
    ];
    const chosen = parameters.filter(() => random.chance(0.75));
    if (random.chance(0.2)) chosen.push(random.pick(parameters));
    let search = chosen.map(([key, value]) => `${key}=${encodeURIComponent(toWellFormed(value))}`).join('&');
    if (random.chance(0.2))
      search += random.pick(['&query=%ff', '%', '&=', '?', '&variables=%7B', '&query[]=1', '&__proto__=1']);
    return {
      name: 'GET',
      method: 'GET',
      path: `/graphql?${search.slice(0, 12_000)}`,
      headers: [
        ['apollo-require-preflight', '1'],
        ['accept', random.pick(accepts)],
      ],
      body: Buffer.alloc(0),
    };
  },
  function method(random) {
    const draft = post(random, 'method', createValidBody(random));
    draft.method = random.pick([
      'PUT',
      'DELETE',
      'PATCH',
      'OPTIONS',
      'HEAD',
      'TRACE',
      'QUERY',
      'post',
      'CONNECT',
      'M-SEARCH',
    ]);
    draft.name = `method ${draft.method}`;
    draft.isBrokenHttp = ['post', 'CONNECT', 'HEAD', 'OPTIONS'].includes(draft.method);
    return draft;
  },
  function length(random) {
    const draft = post(random, 'content-length', createValidBody(random));
    const right = draft.body.length;
    const wrong = [
      right + 1,
      right + 1_000,
      right - 1,
      0,
      1,
      -1,
      'x',
      '',
      `${right}, ${right}`,
      '1e3',
      2_000_000,
      1e21,
    ];
    draft.headers.push(['content-length', String(random.pick(wrong))]);
    draft.endsEarly = true;
    draft.isBrokenHttp = true;
    return draft;
  },
  function chunks(random) {
    const text = createValidBody(random);
    const bodies = [
      `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n0\r\n\r\n`,
      `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`,
      `ffffffffff\r\n${text}\r\n0\r\n\r\n`,
      `-1\r\n${text}\r\n0\r\n\r\n`,
      `zz\r\n${text}`,
      `1\r\n{\r\n${(Buffer.byteLength(text) - 1).toString(16)};x=y\r\n${text.slice(1)}\r\n0\r\nx-trailer: 1\r\n\r\n`,
    ];
    const draft = post(random, 'chunks', random.pick(bodies));
    draft.headers.push(['transfer-encoding', random.chance(0.8) ? 'chunked' : 'gzip, chunked']);
    draft.endsEarly = true;
    draft.isBrokenHttp = true;
    return draft;
  },
];

/** Adds one to three headers that are wrong, repeated, huge, empty or not ASCII. */
function oddHeaders(random: Random, draft: Draft): void {
  for (let left = random.integer(1, 3); left > 0; left--) {
    const [name, value] = random.pick(headers);
    if (random.chance(0.6)) draft.headers = draft.headers.filter(([given]) => given !== name);
    draft.headers.push([name, value]);
    if (name === 'expect' || value.length > 10_000) draft.isBrokenHttp = true;
  }
  draft.name += ', odd headers';
}

const headers: readonly [string, string][] = [
  ['accept', ''],
  ['accept', '*'],
  ['accept', 'text/html'],
  ['accept', 'application/json;q=0'],
  ['accept', 'application/json;q=-1, multipart/mixed;q=nan'],
  ['accept', ',,,;;;==""'],
  ['accept', 'application/json;charset="'],
  ['accept', 'multipart/mixed;deferSpec="20220824"'],
  ['accept', 'multipart/mixed;deferSpec=1;incrementalSpec=v0.2'],
  ['accept', 'multipart/mixed;boundary=graphql;incrementalSpec=v0.2,text/event-stream'],
  ['accept', 'multipart/mixed;subscriptionSpec=1.0'],
  ['accept', 'text/event-stream'],
  ['accept', Array.from({ length: 900 }, (_, i) => `a/b${i}`).join()],
  ['accept', '\u00e9/\u00e9'],
  ['content-type', ''],
  ['content-type', 'text/plain'],
  ['content-type', 'application/x-www-form-urlencoded'],
  ['content-type', 'multipart/form-data; boundary=x'],
  ['content-type', 'application/graphql'],
  ['content-type', 'application/json, text/plain'],
  ['content-type', 'application/json;;;charset'],
  ['content-type', 'APPLICATION/JSON; CHARSET=UTF-8'],
  ['content-type', '\u00ff'],
  ['x-request-id', ''],
  ['x-request-id', 'a'.repeat(5_000)],
  ['x-request-id', '\u00e9"\\<script>'],
  ['x-apollo-operation-name', ''],
  ['authorization', '\u00ff\u0080'],
  ['authorization', 'x'.repeat(6_000)],
  ['accept-language', ';;;'],
  ['origin', 'null'],
  ['origin', 'https://evil.test'],
  ['traceparent', 'zz'],
  ['tributary-deadline-ms', '-1'],
  ['cookie', 'a=b; '.repeat(1_000)],
  ['x-long', 'y'.repeat(40_000)],
  ['expect', '100-continue'],
  ['expect', 'something'],
  ['__proto__', 'x'],
  ['constructor', 'x'],
  ['host', ''],
  ['te', 'trailers'],
  ['upgrade', 'h2c'],
];

/** `encodeURIComponent` throws for a lone surrogate. */
function toWellFormed(text: string): string {
  return text.toWellFormed();
}
