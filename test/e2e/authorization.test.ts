import { rename, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { postJson } from '../harness/postJson.ts';
import { type ProtectedShop, startProtectedShop } from '../harness/protectedShop.ts';
import { readEvents } from '../harness/readEvents.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

const shop = disposeAfterSuite(await startProtectedShop());
beforeEach(() => {
  shop.takeCalls();
});

type Path = readonly (string | number)[];

const messages = {
  UNAUTHENTICATED: 'This needs a logged-in client, and the request has no valid token.',
  FORBIDDEN: 'The client may not use this: its token lacks a scope, or a policy denies it.',
};

const denied = (code: keyof typeof messages, ...paths: readonly Path[]) =>
  paths.map((path) => ({ message: messages[code], path, extensions: { code } }));

const entities = (selections: string) =>
  `query($representations:[_Any!]!){_entities(representations:$representations){${selections}}}`;

interface Row {
  readonly title: string;
  readonly query: string;
  readonly client?: string;
  readonly data: unknown;
  readonly errors?: readonly unknown[];
  readonly calls: readonly string[];
}

const rows: readonly Row[] = [
  {
    title:
      'A field with @authenticated is null for a request without a token, and its selections are not fetched',
    query: '{ me { name } product(id: "p1") { hint name } }',
    data: { me: null, product: { hint: null, name: 'Pan' } },
    errors: denied('UNAUTHENTICATED', ['me'], ['product', 'hint']),
    calls: ['catalog: {product(id:"p1"){name}}'],
  },
  {
    title: 'A field with @authenticated is fetched for any token',
    query: '{ me { name } product(id: "p1") { hint } }',
    client: 'reader',
    data: { me: { name: 'Ada' }, product: { hint: 'buy' } },
    calls: ['catalog: {me{name}product(id:"p1"){id}}', `reviews: ${entities('...on Product{hint}')}`],
  },
  {
    title:
      'A field without its scope is FORBIDDEN at each element of a list, under its alias and in a named fragment',
    query: 'query { products { ...Costs name } } fragment Costs on Product { c: cost ... { d: cost } }',
    client: 'reader',
    data: {
      products: [
        { c: null, d: null, name: 'Pan' },
        { c: null, d: null, name: 'Pot' },
      ],
    },
    errors: denied(
      'FORBIDDEN',
      ['products', 0, 'c'],
      ['products', 0, 'd'],
      ['products', 1, 'c'],
      ['products', 1, 'd'],
    ),
    calls: ['catalog: {products{name}}'],
  },
  {
    title: 'One complete set of scopes is enough',
    query: '{ product(id: "p1") { cost } }',
    client: 'manager',
    data: { product: { cost: 7 } },
    calls: ['catalog: {product(id:"p1"){cost}}'],
  },
  {
    title: 'A non-null field that is denied makes its object null',
    query: '{ product(id: "p1") { name margin } }',
    client: 'manager',
    data: { product: null },
    errors: denied('FORBIDDEN', ['product', 'margin']),
    calls: ['catalog: {product(id:"p1"){name}}'],
  },
  {
    title: 'Requirements of a scalar and an enum apply to each field that returns them, and not to arguments',
    query: '{ product(id: "p1") { price grade name } vault { content } }',
    data: { product: { price: null, grade: null, name: 'Pan' }, vault: null },
    errors: denied('UNAUTHENTICATED', ['product', 'price'], ['product', 'grade'], ['vault']),
    calls: ['catalog: {product(id:"p1"){name}}'],
  },
  {
    title: 'A field with @policy is denied when no extension grants the policy',
    query: '{ product(id: "p1") { code(for: A) name } }',
    client: 'accountant',
    data: { product: { code: null, name: 'Pan' } },
    errors: denied('FORBIDDEN', ['product', 'code']),
    calls: ['catalog: {product(id:"p1"){name}}'],
  },
  {
    title: 'A field with @policy is fetched when an extension grants the policy',
    query: '{ product(id: "p1") { code(for: A) name } }',
    client: 'coder',
    data: { product: { code: 'c0de', name: 'Pan' } },
    calls: ['catalog: {product(id:"p1"){code(for:A)name}}'],
  },
  {
    title: 'An object whose selected fields are all denied is there if it exists',
    query: '{ products { cost } }',
    client: 'reader',
    data: { products: [{ cost: null }, { cost: null }] },
    errors: denied('FORBIDDEN', ['products', 0, 'cost'], ['products', 1, 'cost']),
    calls: ['catalog: {products{__typename}}'],
  },
  {
    title: 'An operation of which everything is denied calls no subgraph',
    query: '{ __typename me { name } vault { id } }',
    data: { __typename: 'Query', me: null, vault: null },
    errors: denied('UNAUTHENTICATED', ['me'], ['vault']),
    calls: [],
  },
  {
    title:
      'A field of an interface is denied only at objects whose types protect it, and objects of a protected type are null',
    query: '{ media { __typename title ... on Draft { note } ... on Book { pages } id } }',
    data: {
      media: [
        { __typename: 'Book', title: null, pages: 474, id: 'b1' },
        { __typename: 'Film', title: 'Alien', id: 'f1' },
        null,
      ],
    },
    errors: denied('UNAUTHENTICATED', ['media', 0, 'title'], ['media', 2]),
    calls: ['catalog: {media{__typename ...on Film{title id}...on Book{pages id}}}'],
  },
  {
    title: 'A field of an interface is fetched as one field when all types allow it',
    query: '{ media { title } }',
    client: 'keeper',
    data: { media: [{ title: 'Emma' }, { title: 'Alien' }, { title: 'Untitled' }] },
    calls: ['catalog: {media{__typename title}}'],
  },
  {
    title: 'An object of a protected type in a union is null, also its __typename',
    query:
      '{ search { __typename ... on Product { name } ... on Vault { content } ... on Media { title } } }',
    client: 'reader',
    data: {
      search: [{ __typename: 'Product', name: 'Pan' }, null, { __typename: 'Film', title: 'Alien' }],
    },
    errors: denied('FORBIDDEN', ['search', 1]),
    calls: ['catalog: {search{__typename ...on Product{name}...on Film{title}}}'],
  },
  {
    title: 'A field of an @interfaceObject is denied on every type',
    query: '{ media { rating reviews } }',
    client: 'reader',
    data: { media: [{ rating: 5, reviews: null }, { rating: 5, reviews: null }, null] },
    errors: denied('FORBIDDEN', ['media', 0, 'reviews'], ['media', 1, 'reviews'], ['media', 2]),
    calls: [
      'catalog: {media{__typename ...on Book{__typename id}...on Film{__typename id}}}',
      `reviews: ${entities('...on Media{rating}')}`,
    ],
  },
  {
    title: 'An object of a protected type that an @interfaceObject returns is null once its type is known',
    query: '{ topMedia(id: "d1") { rating } }',
    client: 'reader',
    data: { topMedia: null },
    errors: denied('FORBIDDEN', ['topMedia']),
    calls: [`catalog: ${entities('...on Media{__typename}')}`, 'reviews: {topMedia(id:"d1"){__typename id}}'],
  },
  {
    title: 'A field whose argument comes from a protected field of its context is denied with it',
    query: '{ site { theme pages { css } } }',
    data: { site: { theme: null, pages: [{ css: null }] } },
    errors: denied('UNAUTHENTICATED', ['site', 'theme'], ['site', 'pages', 0, 'css']),
    calls: ['catalog: {site{pages{__typename}}}'],
  },
  {
    title: 'A field with @requires is denied with its inputs',
    query: '{ product(id: "p1") { discount stock } }',
    client: 'reader',
    data: { product: { discount: null, stock: 3 } },
    errors: denied('FORBIDDEN', ['product', 'discount']),
    calls: ['catalog: {product(id:"p1"){id}}', `reviews: ${entities('...on Product{stock}')}`],
  },
  {
    title: 'A protected key is sent between subgraphs and not shown',
    query: '{ ledger { code total other: code } }',
    data: { ledger: { code: null, total: 'total of l1', other: null } },
    errors: denied('UNAUTHENTICATED', ['ledger', 'code'], ['ledger', 'other']),
    calls: ['catalog: {ledger{code}}', `reviews: ${entities('...on Ledger{total}')}`],
  },
  {
    title: 'A denied field of a mutation is not executed, and the others are in their order',
    query: 'mutation { a: rename(name: "x") refund(cents: 1) b: rename(name: "y") }',
    client: 'reader',
    data: { a: 'x', refund: null, b: 'y' },
    errors: denied('FORBIDDEN', ['refund']),
    calls: ['catalog: mutation{a:rename(name:"x")b:rename(name:"y")}'],
  },
  {
    title: 'A mutation of which everything is denied executes nothing',
    query: 'mutation { refund(cents: 1) }',
    data: { refund: null },
    errors: denied('UNAUTHENTICATED', ['refund']),
    calls: [],
  },
];

test.each(rows)('$title', async ({ query, client, data, errors, calls }) => {
  const { status, body } = await shop.execute(query, client);
  expect({ status, body }).toEqual({ status: 200, body: errors === undefined ? { data } : { data, errors } });
  expect(JSON.stringify(body.data)).toBe(JSON.stringify(data));
  expect(shop.takeCalls()).toEqual(calls);
});

test('An operation fails, and nothing is executed, when the extension that decides its policies throws', async () => {
  const { status, body } = await shop.execute('{ product(id: "p1") { code(for: A) name } }', 'broken');
  expect([status, body.errors]).toEqual([
    500,
    [expect.objectContaining({ extensions: { code: 'EXTENSION_FAILED' } })],
  ]);
  expect(shop.takeCalls()).toEqual([]);
});

describe('A deferred part', () => {
  test('has the errors of its denied fields, and its payload is sent even if nothing is fetched for it', async () => {
    await using answer = await shop.gateway.executeIncrementally(
      '{ product(id: "p1") { name ... @defer(label: "a") { hint stock } ... @defer(label: "b") { c: hint } } }',
    );
    const payloads = (await answer.remaining()) as { incremental?: unknown[] }[];
    expect(payloads[0]).toEqual({ data: { product: { name: 'Pan' } }, hasNext: true });
    const parts = payloads.slice(1).flatMap(({ incremental = [] }) => incremental);
    expect(parts).toHaveLength(2);
    expect(parts).toEqual(
      expect.arrayContaining([
        {
          label: 'a',
          path: ['product'],
          data: { hint: null, stock: 3 },
          errors: denied('UNAUTHENTICATED', ['product', 'hint']),
        },
        {
          label: 'b',
          path: ['product'],
          data: { c: null },
          errors: denied('UNAUTHENTICATED', ['product', 'c']),
        },
      ]),
    );
    expect(shop.takeCalls()).toEqual([
      'catalog: {product(id:"p1"){name id}}',
      `reviews: ${entities('...on Product{stock}')}`,
    ]);
  });

  test('on a protected type is not sent for objects of that type', async () => {
    await using answer = await shop.gateway.executeIncrementally(
      '{ media { id ... @defer { title } ... on Draft @defer { note } } }',
    );
    const [first, ...further] = (await answer.remaining()) as { incremental?: unknown[] }[];
    expect(first).toEqual({
      data: { media: [{ id: 'b1' }, { id: 'f1' }, null] },
      errors: denied('UNAUTHENTICATED', ['media', 2]),
      hasNext: true,
    });
    expect(further.flatMap(({ incremental = [] }) => incremental)).toEqual([
      {
        path: ['media', 0],
        data: { title: null },
        errors: denied('UNAUTHENTICATED', ['media', 0, 'title']),
      },
      { path: ['media', 1], data: { title: 'Alien' } },
    ]);
    expect(shop.takeCalls().join()).not.toMatch(/note|Draft/);
  });
});

describe('An enrichment', () => {
  test('that is denied is no enrichment: it is null with an error and not pending', async () => {
    const { body } = await shop.execute('{ product(id: "p1") { name secretTip } }');
    expect(body).toEqual({
      data: { product: { name: 'Pan', secretTip: null } },
      errors: denied('UNAUTHENTICATED', ['product', 'secretTip']),
    });
    expect(shop.takeCalls()).toEqual(['catalog: {product(id:"p1"){name}}']);
  });

  test.each([
    ['without a token', undefined, { text: 'now', author: null }, 'text'],
    ['with a token', 'reader', { text: 'now', author: 'Bo' }, 'text author'],
  ])('is fetched by a job with the grants of its request: %s', async (_, client, data, selections) => {
    const gate = shop.reviews.hold('Tip.text');
    const { body } = await shop.execute('{ product(id: "p1") { name tip { text author } } }', client);
    const { extensions } = body as {
      extensions?: { tributary?: { enrichment?: { token: string; pending: unknown } } };
    };
    expect([body.data, body.errors, extensions?.tributary?.enrichment?.pending]).toEqual([
      { product: { name: 'Pan', tip: null } },
      undefined,
      [{ path: ['product', 'tip'], reason: 'budget' }],
    ]);
    gate.open();
    const updates = await fetch(
      new URL(`/enrichments/${extensions?.tributary?.enrichment?.token}`, shop.gateway.url),
      { headers: { accept: 'text/event-stream', ...(client === undefined ? {} : { 'x-client': client }) } },
    );
    const events = readEvents(await updates.text()).map((event) => JSON.parse(event.data || '{}'));
    expect(events[0]).toMatchObject({
      path: ['product', 'tip'],
      data,
      errors: client === undefined ? denied('UNAUTHENTICATED', ['product', 'tip', 'author']) : null,
    });
    expect(shop.takeCalls().filter((call) => call.startsWith('reviews'))).toEqual([
      `reviews: ${entities(`...on Product{tip{${selections}}}`)}`,
    ]);
  });
});

test('An enrichment job that resumes from its snapshot has the grants of its request, although it has no token', async () => {
  const unavailable = { kind: 'json', status: 503, body: {} } as const;
  let attempts = 0;
  shop.reviews.answerWith(({ query }) =>
    query.includes('tip') && ++attempts === 1 ? unavailable : undefined,
  );
  const { body } = await shop.execute('{ product(id: "p1") { tip { author } cost } }', 'reader');
  const { extensions } = body as { extensions?: { tributary?: { enrichment?: { token: string } } } };
  expect(body.errors).toEqual(denied('FORBIDDEN', ['product', 'cost']));
  const updates = await fetch(
    new URL(`/enrichments/${extensions?.tributary?.enrichment?.token}`, shop.gateway.url),
    { headers: { accept: 'text/event-stream', 'x-client': 'reader' } },
  );
  const [first] = readEvents(await updates.text()).map((event) => JSON.parse(event.data || '{}'));
  expect(first).toMatchObject({ path: ['product', 'tip'], data: { author: 'Bo' }, errors: null });
  expect(attempts).toBe(2);
});

describe('A cached value', () => {
  test('that is protected is served only to clients that may read it', async () => {
    const query = '{ product(id: "p1") { label secretLabel } }';
    const visible = { data: { product: { label: 'blue', secretLabel: 'red' } } };
    const hidden = {
      data: { product: { label: 'blue', secretLabel: null } },
      errors: denied('UNAUTHENTICATED', ['product', 'secretLabel']),
    };
    const bodies: unknown[] = [];
    for (const client of ['reader', undefined, 'clerk', undefined]) {
      bodies.push((await shop.execute(query, client)).body);
    }
    expect(bodies).toEqual([visible, hidden, visible, hidden]);
    expect(shop.takeCalls().filter((call) => call.startsWith('reviews'))).toEqual([
      `reviews: ${entities('...on Product{label secretLabel}')}`,
      `reviews: ${entities('...on Product{label}')}`,
    ]);
  });

  test('makes no response with protected fields cacheable for HTTP caches', async () => {
    const cacheControlOf = async (query: string): Promise<string | null> => {
      const url = new URL(shop.gateway.url);
      url.searchParams.set('query', query);
      const headers = { 'x-client': 'reader', 'apollo-require-preflight': '1', accept: 'application/json' };
      return (await fetch(url, { headers })).headers.get('cache-control');
    };
    expect(await cacheControlOf('{ notice { text } }')).toBe('public, max-age=60');
    expect(await cacheControlOf('{ notice { text secret } }')).toBe('no-store');
  });
});

describe('A subscription', () => {
  const subscribe = (query: string, client?: string, { gateway } = shop): Promise<Response> =>
    postJson(
      gateway.url,
      { query },
      { accept: 'text/event-stream', ...(client === undefined ? {} : { 'x-client': client }) },
    );

  /** The payload of the next event. */
  async function nextPayload(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<unknown> {
    for (let text = ''; ; ) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`The stream ended after: ${text}`);
      text += new TextDecoder().decode(value);
      const data = readEvents(text).find(({ event }) => event === 'next')?.data;
      if (data !== undefined) return JSON.parse(data);
    }
  }

  async function readToEnd(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
    for (let text = ''; ; ) {
      const { done, value } = await reader.read();
      if (done) return text;
      text += new TextDecoder().decode(value);
    }
  }

  test('whose field is denied is refused, and no event reaches it', async () => {
    const response = await subscribe('subscription { audited { name } }');
    const text = await response.text();
    expect(text).toContain('"code":"UNAUTHENTICATED"');
    expect(text).toContain('"paths":[["audited"]]');
  });

  test('has null and an error for a denied field of its events, published or not', async () => {
    const query = 'subscription { changed { name cost hint } }';
    const [anonymous, manager] = await Promise.all([subscribe(query), subscribe(query, 'manager')]);
    const readers = [anonymous, manager].map(({ body }) => (body as ReadableStream<Uint8Array>).getReader());
    shop.gateway.publish('changed', { __typename: 'Product', id: 'p1', name: 'Wok', cost: 99, hint: 'sell' });
    const payloads = await Promise.all(readers.map(nextPayload));
    expect(payloads).toEqual([
      {
        data: { changed: { name: 'Wok', cost: null, hint: null } },
        errors: denied('UNAUTHENTICATED', ['changed', 'cost'], ['changed', 'hint']),
      },
      { data: { changed: { name: 'Wok', cost: 99, hint: 'buy' } } },
    ]);
    for (const reader of readers) await reader.cancel();
    expect(shop.takeCalls()).toEqual([`reviews: ${entities('...on Product{hint}')}`]);
  });

  test('is not shared by clients that get different errors for what both may not read', async () => {
    const query = 'subscription { changed { cost } }';
    const [anonymous, device] = await Promise.all([subscribe(query), subscribe(query, 'device')]);
    const readers = [anonymous, device].map(({ body }) => (body as ReadableStream<Uint8Array>).getReader());
    shop.gateway.publish('changed', { __typename: 'Product', id: 'p1' });
    const data = { changed: { cost: null } };
    expect(await Promise.all(readers.map(nextPayload))).toEqual([
      { data, errors: denied('UNAUTHENTICATED', ['changed', 'cost']) },
      { data, errors: denied('FORBIDDEN', ['changed', 'cost']) },
    ]);
    for (const reader of readers) await reader.cancel();
  });

  test('that clients share ends for all but the first when a new supergraph protects its fields, and each is decided alone when it subscribes again', async () => {
    let protectedSdl = '';
    await using other = await startProtectedShop({
      isWatching: true,
      transformSupergraph: (sdl) => {
        protectedSdl = sdl;
        return withoutRequirements(sdl, ['hint']);
      },
    });
    const open = async (client?: string) => {
      const { body } = await subscribe('subscription { changed { hint } }', client, other);
      return (body as ReadableStream<Uint8Array>).getReader();
    };
    const publish = () => other.gateway.publish('changed', { __typename: 'Product', id: 'p1' });
    const visible = { data: { changed: { hint: 'buy' } } };
    // Neither has an identity.
    const [device, anonymous] = [await open('device'), await open()];
    publish();
    expect([await nextPayload(device), await nextPayload(anonymous)]).toEqual([visible, visible]);
    expect(other.takeCalls()).toHaveLength(1);
    const file = other.gateway.supergraphFile;
    await writeFile(`${file}.next`, protectedSdl);
    await rename(`${file}.next`, file);
    expect(await readToEnd(anonymous)).toContain('"code":"SUPERGRAPH_CHANGED"');
    const again = await open();
    publish();
    expect([await nextPayload(device), await nextPayload(again)]).toEqual([
      visible,
      { data: { changed: { hint: null } }, errors: denied('UNAUTHENTICATED', ['changed', 'hint']) },
    ]);
    for (const reader of [device, again]) await reader.cancel();
  });
});

describe('With security.authorization.onDenied: reject', () => {
  let rejecting: ProtectedShop;
  beforeAll(async () => {
    rejecting = await startProtectedShop({
      config: { security: { authorization: { onDenied: 'reject' } } },
    });
  });
  afterAll(() => rejecting.gateway.close());

  test.each([
    [
      'a request without a token gets 401 with the path of each denied field',
      '{ product(id: "p1") { name cost ... on Product { c: margin } } media { title } }',
      undefined,
      401,
      {
        message:
          'The operation needs a logged-in client, and the request has no valid token. Nothing was executed.',
        extensions: {
          code: 'UNAUTHENTICATED',
          paths: [['product', 'cost'], ['product', 'c'], ['media', 'title'], ['media']],
        },
      },
    ],
    [
      'a client without the scope gets 403',
      'mutation { rename(name: "x") refund(cents: 1) }',
      'reader',
      403,
      {
        message: 'The client may not use everything that the operation contains. Nothing was executed.',
        extensions: { code: 'FORBIDDEN', paths: [['refund']] },
      },
    ],
  ])('%s, and nothing is executed', async (_, query, client, status, error) => {
    expect(await rejecting.execute(query, client)).toEqual({ status, body: { errors: [error] } });
    expect(rejecting.takeCalls()).toEqual([]);
  });

  test('a client of server-sent events gets the refusal as an event, because trying again would not help', async () => {
    const response = await postJson(
      rejecting.gateway.url,
      { query: '{ product(id: "p1") { cost } }' },
      { accept: 'text/event-stream' },
    );
    expect([response.status, await response.text()]).toEqual([
      200,
      expect.stringContaining('"code":"UNAUTHENTICATED"'),
    ]);
  });

  test('an operation without denied fields is answered', async () => {
    const { body } = await rejecting.execute('{ product(id: "p1") { name cost } }', 'manager');
    expect(body).toEqual({ data: { product: { name: 'Pan', cost: 7 } } });
  });
});

/** Removes the directives of fields, which composition demands where the inputs have them. */
function withoutRequirements(sdl: string, fields: readonly string[]): string {
  let text = sdl;
  for (const field of fields) {
    const line = new RegExp(`^( +${field}: .*) @(authenticated|scoped\\(scopes: .*\\))$`, 'm');
    if (!line.test(text)) throw new Error(`There is no field ${field} with a requirement.`);
    text = text.replace(line, '$1');
  }
  return text;
}

describe('A supergraph of another composition', () => {
  test('denies fields whose inputs are denied, although they have no requirements themselves', async () => {
    await using other = await startProtectedShop({
      transformSupergraph: (sdl) => withoutRequirements(sdl, ['css', 'discount']),
    });
    const { body } = await other.execute('{ product(id: "p1") { discount stock } site { pages { css } } }');
    expect(body).toEqual({
      data: { product: { discount: null, stock: 3 }, site: { pages: [{ css: null }] } },
      errors: denied('UNAUTHENTICATED', ['product', 'discount'], ['site', 'pages', 0, 'css']),
    });
    expect(other.takeCalls()).toEqual([
      'catalog: {product(id:"p1"){id}site{pages{__typename}}}',
      `reviews: ${entities('...on Product{stock}')}`,
    ]);
  });
});
