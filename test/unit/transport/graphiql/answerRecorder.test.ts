import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { AnswerRecorder } from '../../../../gateway/transport/graphiql/page/answerRecorder.ts';
import { type Answer, Answers } from '../../../../gateway/transport/graphiql/page/answers.ts';

/** The responses to the next requests, the next first. */
const responses: (() => Response)[] = [];
const requests: RequestInit[] = [];

beforeEach(() => {
  responses.length = 0;
  requests.length = 0;
  Object.assign(globalThis, { location: { pathname: '/graphql' } });
  jest.spyOn(globalThis, 'fetch').mockImplementation(async (_, request = {}) => {
    requests.push(request);
    return (responses.shift() as () => Response)();
  });
});

afterEach(() => {
  jest.restoreAllMocks();
  Reflect.deleteProperty(globalThis, 'location');
});

function multipart(...parts: readonly unknown[]): () => Response {
  const texts = parts.map((part) => `content-type: application/json\r\n\r\n${JSON.stringify(part)}\r\n---`);
  const body = `\r\n---\r\n${texts.join('\r\n')}--\r\n`;
  return () => new Response(body, { headers: { 'content-type': 'multipart/mixed; boundary="-"' } });
}

interface Run {
  /** What GraphiQL shows, one after the other. */
  readonly shown: readonly unknown[];
  readonly error: unknown;
  readonly answer: Answer;
  /** Those of `recorder`, which may change. */
  readonly answers: Answers;
  readonly recorder: AnswerRecorder;
}

function run(query: string, headers: Readonly<Record<string, string>> = {}): Promise<Run> {
  const answers = new Answers();
  const recorder = new AnswerRecorder(answers, false);
  const shown: unknown[] = [];
  const answer = (): Answer => answers.get('') as Answer;
  return new Promise((resolve) => {
    const observable = recorder.fetcher({ query, variables: {}, operationName: null }, { headers }) as {
      subscribe(receiver: object): void;
    };
    observable.subscribe({
      next: (result: unknown) => shown.push(structuredClone(result)),
      error: (error: unknown) => resolve({ shown, error, answer: answer(), answers, recorder }),
      complete: () => resolve({ shown, error: undefined, answer: answer(), answers, recorder }),
    });
  });
}

const extensions = { tributary: { enrichment: { token: 't1' } } };

function update(path: readonly (string | number)[], data: unknown, errors: readonly unknown[] | null = null) {
  return { payload: { data: { enrichment: { path, data, errors, hasNext: true } } } };
}

describe('an operation that GraphiQL runs', () => {
  test('has deferred fields in the objects and lists that the answer has', async () => {
    responses.push(
      multipart(
        {
          data: { product: { reviews: [{ rating: 5 }, { rating: 3, author: { id: 'a' } }] } },
          hasNext: true,
        },
        {
          incremental: [
            {
              path: ['product'],
              label: 'authors',
              data: { name: 'Pan', reviews: [{ author: null }, { author: { name: 'Ann' } }] },
              errors: [{ message: 'unknown' }],
            },
            { path: ['product', 'reviews', 0], data: null, errors: [{ message: 'failed' }] },
          ],
          hasNext: false,
        },
      ),
    );
    const { shown } = await run('{ product { reviews { rating } } }');
    expect(shown).toEqual([
      { data: { product: { reviews: [{ rating: 5 }, { rating: 3, author: { id: 'a' } }] } } },
      {
        data: {
          product: {
            name: 'Pan',
            reviews: [
              { rating: 5, author: null },
              { rating: 3, author: { id: 'a', name: 'Ann' } },
            ],
          },
        },
        errors: [{ message: 'unknown' }, { message: 'failed' }],
      },
    ]);
  });

  test('has pending elements of a list where they were', async () => {
    responses.push(
      () => Response.json({ data: { products: [{ id: 'p1' }, null, { id: 'p3' }] }, extensions }),
      multipart(update(['products', 1], { id: 'p2' }), update(['products', 0, 'name'], 'Pan')),
    );
    const { shown } = await run('{ products { id name } }');
    expect(shown.at(-1)).toEqual({
      data: { products: [{ id: 'p1', name: 'Pan' }, { id: 'p2' }, { id: 'p3' }] },
      extensions,
    });
  });

  test('has the errors of its pending fields', async () => {
    responses.push(
      () => Response.json({ errors: [{ message: 'one' }], data: { a: null, b: null }, extensions }),
      multipart(update(['a'], null, [{ message: 'two' }])),
    );
    const { shown, answer } = await run('{ a b }');
    expect(shown.at(-1)).toEqual({
      errors: [{ message: 'one' }, { message: 'two' }],
      data: { a: null, b: null },
      extensions,
    });
    expect(answer.arrivals.map(({ kind, label, errors }) => [kind, label, errors])).toEqual([
      ['payload', 'first payload', 1],
      ['enrichment', 'a', 1],
    ]);
  });

  test('keeps its answer when its pending fields cannot be picked up', async () => {
    responses.push(
      () => Response.json({ data: { a: null }, extensions }),
      () => {
        throw new Error('Failed to fetch');
      },
    );
    const { shown, error, answer } = await run('{ a }');
    expect([shown, error]).toEqual([[{ data: { a: null }, extensions }], undefined]);
    expect(answer.arrivals.at(-1)).toMatchObject({
      kind: 'enrichment',
      label: 'Failed to fetch',
      errors: 1,
    });
  });

  test('keeps what has arrived when its connection breaks', async () => {
    const part = 'content-type: application/json\r\n\r\n{"data":{"a":1},"hasNext":true}';
    const chunks = [`\r\n---\r\n${part}\r\n---`, undefined];
    const body = new ReadableStream({
      pull: (controller) => {
        const chunk = chunks.shift();
        if (chunk === undefined) controller.error(new Error('network error'));
        else controller.enqueue(new TextEncoder().encode(chunk));
      },
    });
    responses.push(
      () => new Response(body, { headers: { 'content-type': 'multipart/mixed; boundary="-"' } }),
    );
    const { shown, error } = await run('{ a ... @defer { b } }');
    expect(error).toBeUndefined();
    expect(shown).toEqual([{ data: { a: 1 } }, { data: { a: 1 }, errors: [{ message: 'network error' }] }]);
  });

  test('shows why a mutation failed that is sent beside the subscription', async () => {
    responses.push(multipart({ payload: { data: { a: 1 } } }));
    const { recorder, answers } = await run('subscription { a }');
    responses.push(
      () => Response.json({ errors: [{ message: 'Sold out' }, { message: 'Closed' }] }),
      () => {
        throw new Error('Failed to fetch');
      },
    );
    await recorder.sendTrigger({ query: '', operationName: 'Sell' }, {});
    await recorder.sendTrigger({ query: '', operationName: 'Sell' }, {});
    expect(answers.get('')?.arrivals.slice(-2)).toMatchObject([
      { kind: 'mutation', label: 'Sell (Sold out)', errors: 2 },
      { kind: 'mutation', label: 'Sell (Failed to fetch)', errors: 1 },
    ]);
  });

  test('is sent with the headers of its tab in place of those of the page, in upper or lower case', async () => {
    responses.push(() => Response.json({ data: { a: 1 } }));
    await run('{ a }', { Accept: 'application/json', 'Content-Type': 'application/json', 'X-User': 'ann' });
    expect(Object.fromEntries(new Headers(requests[0]?.headers))).toEqual({
      accept: 'application/json',
      'content-type': 'application/json',
      'x-user': 'ann',
    });
  });

  test('has the count of all its payloads, and in its time line the first one and the newest ones', async () => {
    const deferred = (n: number) => ({
      incremental: [{ path: [], data: {}, label: String(n) }],
      hasNext: true,
    });
    responses.push(
      multipart({ data: { a: 1 }, hasNext: true }, ...Array.from({ length: 80 }, (_, n) => deferred(n))),
    );
    const { answer } = await run('{ a }');
    const labels = answer.arrivals.map(({ label }) => label);
    expect([answer.count, labels.length]).toEqual([81, 50]);
    expect([labels[0], labels[1], labels.at(-1)]).toEqual(['first payload', '31', '79']);
  });

  test('has the critical path of its first payload, or of the last event of a subscription', async () => {
    const [first, later] = ['products', 'reviews'].map((subgraph) => ({
      tributary: { criticalPath: [{ subgraph, path: [], ms: 1 }] },
    }));
    const pathOf = ({ answer }: Run) => answer.criticalPath.map(({ subgraph }) => subgraph);
    const deferred = { incremental: [{ path: [], data: { b: 1 } }], extensions: later, hasNext: false };
    responses.push(multipart({ data: { a: 1 }, hasNext: true }, deferred));
    expect(pathOf(await run('{ a }'))).toEqual([]);
    responses.push(multipart({ data: { a: 1 }, extensions: first, hasNext: true }, deferred));
    expect(pathOf(await run('{ a }'))).toEqual(['products']);
    const events = [first, later].map((own) => ({ payload: { data: { a: 1 }, extensions: own } }));
    responses.push(multipart(...events));
    expect(pathOf(await run('subscription { a }'))).toEqual(['reviews']);
    responses.push(multipart(...events, { payload: { data: { a: 1 } } }));
    expect(pathOf(await run('subscription { a }'))).toEqual([]);
  });

  test('has the count of all events of a subscription, of which its time line has the newest', async () => {
    const event = { payload: { data: { a: 1 } } };
    responses.push(multipart(...Array<unknown>(80).fill(event)));
    const { answer } = await run('subscription { a }');
    expect([answer.count, answer.arrivals.length]).toEqual([80, 50]);
  });

  test('shows an answer that is not of GraphQL as it is', async () => {
    responses.push(() => Response.json({ error: 'No such route.' }, { status: 404 }));
    expect((await run('{ a }')).shown).toEqual([{ error: 'No such route.' }]);
  });

  test('shows each event of a subscription alone', async () => {
    responses.push(multipart({ payload: { data: { a: 1, b: 1 } } }, {}, { payload: { data: { a: 2 } } }));
    expect((await run('subscription { a }')).shown).toEqual([{ data: { a: 1, b: 1 } }, { data: { a: 2 } }]);
  });
});
