import { describe, expect, test } from '@jest/globals';
import type { SubgraphCallEvent } from '../../../gateway/subgraphs/httpSubgraphClient.ts';
import { json, reset, type Script } from '../../harness/scriptedSubgraph.ts';
import { createClientFixture, ok } from './clientFixture.ts';
import { subgraph } from './subgraphPerTest.ts';

describe('the call observer', () => {
  test('gets every call once, also one with several receivers', async () => {
    const events: SubgraphCallEvent[] = [];
    await using under = createClientFixture(subgraph.url, {
      at: { connections: 1 },
      onCall: (event) => events.push(event),
    });
    subgraph.enqueueScripts(json(ok), reset, json(ok));

    await Promise.all([under.send().outcome, under.send().outcome]);
    await under.send({ requestId: 'request-2' }).outcome;
    const cancelled = under.send({ kind: 'mutation', requestId: 'request-3' });
    await subgraph.waitForRequests(4);
    under.clock.advance(7);
    cancelled.cancel();

    const common = {
      subgraph: 'reviews',
      durationMs: 0,
      representations: 0,
      isComplete: true,
    };
    const startedAt = under.clock.now() - 7;
    const received = { outcome: 'completed', status: 200 };
    expect(events).toEqual([
      { ...common, ...received, endedAt: startedAt, requestId: 'request-1' },
      { ...common, ...received, endedAt: startedAt, requestId: 'request-2' },
      {
        ...common,
        requestId: 'request-3',
        outcome: 'cancelled',
        status: undefined,
        durationMs: 7,
        endedAt: startedAt + 7,
        isComplete: false,
      },
    ]);
  });

  test('gets no status of a call that is lost after an informational response', async () => {
    const events: SubgraphCallEvent[] = [];
    await using under = createClientFixture(subgraph.url, { onCall: (event) => events.push(event) });
    subgraph.enqueueScripts((exchange) => {
      exchange.write('HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n');
      exchange.end();
    });

    await under.send().outcome;
    expect(events).toMatchObject([{ outcome: 'SUBGRAPH_UNREACHABLE', status: undefined }]);
  });

  test.each([
    ['a connection that is refused', undefined, /connect ECONNREFUSED 127\.0\.0\.1/],
    ['an HTML page', ({ respond }) => respond({ body: '<html>' }), /the body is not JSON/],
    ['another status', ({ respond }) => respond({ status: 503, body: 'busy' }), /the body is not JSON/],
    [
      'GraphQL errors with another status',
      ({ respond }) =>
        respond({
          status: 400,
          body: '{"errors":[{"message":"secret","extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}',
        }),
      /^GraphQL errors in the response: 1, the first one with the code GRAPHQL_VALIDATION_FAILED$/,
    ],
    [
      'GraphQL errors whose code is no name',
      ({ respond }) =>
        respond({
          status: 400,
          body: '{"errors":[{"message":"secret","extensions":{"code":"a secret"}},{"message":"secret"}]}',
        }),
      /^GraphQL errors in the response: 2$/,
    ],
  ] as readonly (readonly [string, Script | undefined, RegExp])[])(
    'gets the address and the problem of %s',
    async (_, script, problem) => {
      const events: SubgraphCallEvent[] = [];
      await using under = createClientFixture(subgraph.url, {
        at: { connections: 1 },
        onCall: (event) => events.push(event),
      });
      if (script === undefined) await subgraph.close();
      else subgraph.enqueueScripts(script);
      await under.send().outcome;
      expect(events.map(({ failure }) => failure?.describe())).toEqual([
        { url: subgraph.url, problem: expect.stringMatching(problem) },
      ]);
    },
  );
});
