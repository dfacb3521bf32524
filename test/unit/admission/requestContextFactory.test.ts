import { expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { createIdentityReader } from '../../../gateway/admission/identity.ts';
import { RequestContextFactory } from '../../../gateway/admission/requestContextFactory.ts';
import { RequestPriorities } from '../../../gateway/admission/requestPriorities.ts';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { isolateRequestContext, sharingKeyFor } from '../../../gateway/execution/requestContext.ts';
import type { OperationRequest } from '../../../gateway/operation/operationRequest.ts';

const config = parseConfig({
  supergraph: { file: 'supergraph.graphql' },
  security: { jwt: { issuers: [{ jwks: 'https://login.test/jwks.json' }] } },
  subgraphs: {
    all: { timeouts: { deadline: '10s' }, headers: { forward: ['authorization'] } },
    claimed: { headers: { rules: [{ set: 'x-subject', claim: 'sub' }] } },
    sessions: { headers: { respond: ['set-cookie'] } },
    slow: { timeouts: { attempt: '1s', deadline: '1s' } },
  },
});

/** Headers that count how often each one is read. */
class CountedHeaders extends Map<string, string> {
  readonly reads = new Map<string, number>();

  override get(name: string): string | undefined {
    this.reads.set(name, (this.reads.get(name) ?? 0) + 1);
    return super.get(name);
  }
}

function createFactory(): RequestContextFactory {
  return new RequestContextFactory({
    config,
    priorities: new RequestPriorities(config.overload.priorities),
    overridesFor: () => () => false,
  });
}

function requestWith(headers: ReadonlyMap<string, string>): OperationRequest {
  return {
    document: parse('{ __typename }'),
    operationName: undefined,
    variables: {},
    headers,
    caller: createIdentityReader({ header: 'x-user' })(headers, '192.0.2.1'),
    incrementalFormat: undefined,
    clientAddress: '192.0.2.1',
    requestId: 'r1',
    signal: new AbortController().signal,
  };
}

test('the context of a request has its identity, its preferences and its deadlines', () => {
  const headers = new Map([
    ['x-user', 'u1'],
    ['tributary-budget', '80ms'],
    ['tributary-priority', 'critical'],
    ['tributary-defer', 'auto'],
    ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
  ]);
  const before = performance.now();
  const context = createFactory().create(requestWith(headers));
  expect(context).toMatchObject({
    requestId: 'r1',
    traceHeaders: ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
    identity: 'u1',
    tokenOwner: 'identity u1',
    clientKey: 'identity u1',
    preferences: { budgetMs: 80, priority: 'critical', isAutoDefer: true },
    sharingKey: '',
    isMutation: false,
  });
  expect(context.deadline).toBeGreaterThanOrEqual(before + 10_000);
  expect(context.deadlineFor('other')).toBe(context.deadline);
  expect(context.deadlineFor('slow')).toBeCloseTo(context.deadline - 9_000);
});

test('every header is read once, and a restarted context reads none again', () => {
  const headers = new CountedHeaders([
    ['x-user', 'u1'],
    ['authorization', 'Bearer abc'],
    ['tributary-budget', '80ms'],
  ]);
  const factory = createFactory();
  const context = factory.create(requestWith(headers));
  context.headersFor('a');
  const restarted = factory.restart(context);
  restarted.headersFor('b');
  expect([...headers.reads.values()].every((count) => count === 1)).toBe(true);
  expect(restarted).toMatchObject({ identity: 'u1', preferences: { budgetMs: 80 } });
  expect(restarted.deadline).toBeGreaterThanOrEqual(context.deadline);
});

test('a context without response headers, such as that of an event or a job, shares no call to a subgraph of cookies', () => {
  const factory = createFactory();
  const context = factory.create(requestWith(new Map()));
  const contexts = [context, factory.restart(context), factory.restart(context)];
  const keysFor = (subgraph: string) => new Set(contexts.map((each) => sharingKeyFor(each, subgraph)));
  expect([keysFor('sessions').size, [...keysFor('slow')]]).toEqual([3, ['']]);
});

test('every isolated context has a sharing key of its own and keeps the forwarded headers', () => {
  const context = createFactory().create(requestWith(new Map([['authorization', 'Bearer abc']])));
  const [first, second] = [isolateRequestContext(context), isolateRequestContext(context)];
  expect(new Set([context.sharingKey, first.sharingKey, second.sharingKey]).size).toBe(3);
  expect(first.isMutation).toBe(true);
  expect(first.headersFor('a')).toEqual(context.headersFor('a'));
});

test('claims are sent to subgraphs, and not what a client sends in their place', () => {
  const request = requestWith(new Map([['x-subject', 'forged']]));
  const caller = { ...request.caller, claims: { sub: 'ada' } };
  const context = createFactory().create({ ...request, caller });
  expect([context.claims, context.headersFor('claimed').pairs, context.headersFor('a').pairs]).toEqual([
    { sub: 'ada' },
    ['x-subject', 'ada'],
    [],
  ]);
});

test('a header that a subgraph gets must not be listed in `connection`', () => {
  const create = (connection: string) =>
    createFactory().create(
      requestWith(
        new Map([
          ['authorization', 'a'],
          ['connection', connection],
        ]),
      ),
    );
  expect(() => create('Authorization')).toThrow('The header "connection" lists "authorization"');
  expect(create('close, x-other').headersFor('a').pairs).toEqual(['authorization', 'a']);
});
