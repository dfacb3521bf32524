import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type InlineGateway, startInlineGateway } from '../harness/inlineGateway.ts';
import { mergePayloads } from '../harness/rawHttp.ts';

describe('several mutations in one operation', () => {
  let name = '';
  let log: string[] = [];
  let gateway: InlineGateway;

  const rename = (_: never, { to }: { to: string }): unknown => {
    log.push(`rename ${to}`);
    name = to;
    return { id: '1', name };
  };
  const author = (): unknown => ({ id: '1' });

  beforeAll(async () => {
    gateway = await startInlineGateway({
      subgraphs: [
        {
          name: 'accounts',
          sdl: `
            type Query { me: Account }
            type Mutation { rename(to: String!): Account }
            type Account @key(fields: "id") { id: ID! name: String }
          `,
          resolvers: {
            Mutation: { rename: rename as never },
            Account: {
              __resolveReference: () => {
                log.push(`read ${name}`);
                return { id: '1', name };
              },
            },
          },
        },
        {
          name: 'reviews',
          sdl: `
            type Query { reviews: [Review!]! }
            type Mutation { review(text: String!): Review! }
            type Review { text: String author: Account! }
            type Account @key(fields: "id") { id: ID! latest: Review rating: Int! }
          `,
          resolvers: {
            Mutation: {
              review: ((_: never, { text }: { text: string }) => {
                log.push(`review ${text}`);
                if (text === 'fail') throw new Error('no review today');
                return { text };
              }) as never,
            },
            Account: {
              latest: () => {
                log.push('read latest');
                return { text: 'good' };
              },
              rating: () => {
                log.push('read rating');
                return null;
              },
            },
            Review: { author },
          },
        },
      ],
    });
  });
  afterAll(() => gateway.close());
  beforeEach(() => {
    for (const subgraph of ['accounts', 'reviews']) gateway.subgraph(subgraph).reset();
    name = 'Nobody';
    log = [];
  });

  test('are executed one after the other: the second starts when the first has all its data from all subgraphs', async () => {
    const { body } = await gateway.execute(
      `mutation ($one: String!, $two: String!) {
        one: rename(to: $one) { name latest { author { name } } }
        two: rename(to: $two) { name latest { author { name } } }
      }`,
      { variables: { one: 'One', two: 'Two' } },
    );
    expect(body).toEqual({
      data: {
        one: { name: 'One', latest: { author: { name: 'One' } } },
        two: { name: 'Two', latest: { author: { name: 'Two' } } },
      },
    });
    expect(log).toEqual(['rename One', 'read latest', 'read One', 'rename Two', 'read latest', 'read Two']);
  });

  test('are executed one after the other when a string of the operation looks like @defer', async () => {
    const text = '@defer(label:';
    const { body } = await gateway.execute(
      `mutation {
        one: rename(to: "${text}") { latest { author { name } } }
        two: rename(to: "Two") { name }
      }`,
    );
    expect(body).toEqual({
      data: { one: { latest: { author: { name: text } } }, two: { name: 'Two' } },
    });
  });

  test('share a request when they need no other subgraph, also with the next mutation', async () => {
    const { body } = await gateway.execute(
      `mutation {
        one: rename(to: "One") { name }
        two: rename(to: "Two") { name latest { author { name } } }
        three: rename(to: "Three") { name }
        four: rename(to: "Four") { name }
      }`,
    );
    expect(body).toEqual({
      data: {
        one: { name: 'One' },
        two: { name: 'Two', latest: { author: { name: 'Two' } } },
        three: { name: 'Three' },
        four: { name: 'Four' },
      },
    });
    expect(mutationsSent()).toHaveLength(2);
    expect(log).toEqual([
      'rename One',
      'rename Two',
      'read latest',
      'read Two',
      'rename Three',
      'rename Four',
    ]);
  });

  test('of different subgraphs are executed in the order of the document', async () => {
    const { body } = await gateway.execute(
      `mutation {
        one: rename(to: "One") { name }
        good: review(text: "good") { author { name } }
        two: rename(to: "Two") { name }
        bad: review(text: "bad") { author { name } }
      }`,
    );
    expect(body).toEqual({
      data: {
        one: { name: 'One' },
        good: { author: { name: 'One' } },
        two: { name: 'Two' },
        bad: { author: { name: 'Two' } },
      },
    });
    expect(log).toEqual(['rename One', 'review good', 'read One', 'rename Two', 'review bad', 'read Two']);
  });

  test('end with the first one that fails and must not be null', async () => {
    const { body } = await gateway.execute(
      `mutation {
        one: rename(to: "One") { name }
        bad: review(text: "fail") { text }
        next: review(text: "next") { text }
        two: rename(to: "Two") { name }
        last: review(text: "last") { author { name } }
      }`,
    );
    expect(body).toEqual({
      data: null,
      errors: [expect.objectContaining({ path: ['bad'] })],
    });
    expect(log).toEqual(['rename One', 'review fail']);
  });

  test('end with the first one whose value has a null that makes data null', async () => {
    const { body } = await gateway.execute(
      `mutation {
        one: review(text: "good") { author { name } }
        bad: review(text: "good") { author { rating } }
        two: rename(to: "Two") { name }
        last: review(text: "last") { author { name } }
      }`,
    );
    expect(body).toEqual({
      data: null,
      errors: [expect.objectContaining({ path: ['bad', 'author', 'rating'] })],
    });
    expect(log).toEqual(['review good', 'read Nobody', 'review good', 'read rating']);
  });

  test('continue after one whose value has a null that does not reach data', async () => {
    const { body } = await gateway.execute(
      `mutation {
        one: rename(to: "One") { rating }
        good: review(text: "good") { text }
        two: rename(to: "Two") { name }
      }`,
    );
    expect(body).toEqual({
      data: { one: null, good: { text: 'good' }, two: { name: 'Two' } },
      errors: [expect.objectContaining({ path: ['one', 'rating'] })],
    });
    expect(log).toEqual(['rename One', 'read rating', 'review good', 'rename Two']);
  });

  test('continue after one that fails and may be null', async () => {
    gateway
      .subgraph('accounts')
      .answerWith(({ query }) => (query.includes('"One"') ? { kind: 'reset' } : undefined));
    const { body } = await gateway.execute(
      'mutation { one: rename(to: "One") { name } good: review(text: "good") { text } two: rename(to: "Two") { name } }',
    );
    expect(body).toMatchObject({
      data: { one: null, good: { text: 'good' }, two: { name: 'Two' } },
      errors: [{ path: ['one'], extensions: { code: 'SUBGRAPH_UNREACHABLE' } }],
    });
    expect(log).toEqual(['review good', 'rename Two']);
  });

  test('are executed after the deferred fields of the previous one are fetched', async () => {
    await using answer = await gateway.executeIncrementally(
      `mutation {
        one: rename(to: "One") { name ... @defer { latest { author { name } } } }
        two: rename(to: "Two") { name }
      }`,
    );
    expect(mergePayloads(await answer.remaining())).toEqual({
      data: {
        one: { name: 'One', latest: { author: { name: 'One' } } },
        two: { name: 'Two' },
      },
    });
    expect(log).toEqual(['rename One', 'read latest', 'read One', 'rename Two']);
  });

  function mutationsSent(): string[] {
    return gateway
      .subgraph('accounts')
      .calls.map(({ query }) => query)
      .filter((query) => query.startsWith('mutation'));
  }
});
