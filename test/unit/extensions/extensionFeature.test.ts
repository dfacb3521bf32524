import { describe, expect, test } from '@jest/globals';
import { buildSchema, parse } from 'graphql';
import { anonymousClient } from '../../../gateway/admission/identity.ts';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import type { RequestContext } from '../../../gateway/execution/requestContext.ts';
import {
  type Extension,
  RequestRefusedError,
  type ResponseEvent,
} from '../../../gateway/extensions/extension.ts';
import { ExtensionFeature } from '../../../gateway/extensions/extensionFeature.ts';
import { parseExactJson } from '../../../gateway/json/exactJson.ts';
import type { OperationRequest } from '../../../gateway/operation/operationRequest.ts';
import type { SingleOutcome } from '../../../gateway/response/executionOutcome.ts';
import type { Supergraph } from '../../../gateway/supergraph/supergraph.ts';
import { createLogger } from '../../../gateway/telemetry/logger.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';

const config = parseConfig({
  supergraph: { file: 'a' },
  listen: { drainTimeout: '7s' },
  subgraphs: { reviews: { timeouts: { attempt: '2s' } } },
});

function featureOf(...extensions: readonly Extension[]) {
  const timers = new FakeTimers();
  const lines: unknown[] = [];
  const log = createLogger('warn', { write: (line) => lines.push(JSON.parse(line)) });
  return { feature: new ExtensionFeature(extensions, { config, log, timers }), timers, lines };
}

function requestWith(signal = new AbortController().signal): OperationRequest {
  return {
    document: parse('{ a }'),
    operationName: undefined,
    variables: {},
    headers: new Map(),
    caller: anonymousClient,
    incrementalFormat: undefined,
    requestId: 'r1',
    signal,
  };
}
const endless = () => new Promise<undefined>(() => undefined);
const context = { deadline: Number.POSITIVE_INFINITY } as RequestContext;
const supergraph = {
  id: 'next',
  sdl: 'type Query { a: Int }',
  apiSchema: buildSchema('type Query { a: Int }'),
  subgraphs: new Map([['a', { name: 'a', url: 'http://a' }]]),
} as unknown as Supergraph;

test('members for hooks that no extension has are undefined', () => {
  const { feature } = featureOf({ name: 'a', admitSupergraph() {} });
  const { extendContext, onPlan, decorateExecution, callHooks, decidePolicies } = feature;
  expect({ extendContext, onPlan, decorateExecution, callHooks, decidePolicies }).toEqual({
    extendContext: undefined,
    onPlan: undefined,
    decorateExecution: undefined,
    callHooks: undefined,
    decidePolicies: undefined,
  });
});

class TenantError extends RequestRefusedError {
  override name = 'TenantError';
}
/** As an extension throws it that has another copy of the package. */
class OtherRefusal extends Error {
  override name = 'RequestRefusedError';
  readonly [key: string]: unknown;

  constructor(message: string, options: object) {
    super(message);
    Object.assign(this, options);
  }
}

test.each([
  ['a subclass with a name of its own', TenantError],
  ['another copy of the package', OtherRefusal],
])('a refusal of %s refuses the request', async (_, Refusal) => {
  const requestContext = () => {
    throw new Refusal('No tenant.', { code: 'TENANT', status: 401, extensions: {} });
  };
  const { feature, lines } = featureOf({ name: 'a', requestContext });
  await expect(feature.extendContext?.(context, requestWith())).rejects.toMatchObject({
    message: 'No tenant.',
    clientCode: 'TENANT',
    status: 401,
  });
  expect(lines).toEqual([]);
});

test.each([
  ['status that no error can have', new OtherRefusal('No tenant.', { code: 'TENANT', status: 204 })],
  ['status that is text', new OtherRefusal('No tenant.', { code: 'TENANT', status: '401' })],
  ['code that is missing', new OtherRefusal('No tenant.', { status: 401 })],
  ['code that is no text', new OtherRefusal('No tenant.', { code: 1n, status: 401 })],
  [
    'message that has no text',
    new OtherRefusal('', { code: 'TENANT', status: 401, message: { toString: fail } }),
  ],
  ['prototype that cannot be read', new Proxy({}, { getPrototypeOf: fail })],
  ['message that cannot be read', Object.defineProperty(new Error(), 'message', { get: () => fail() })],
])('an error with a %s is a failure of the extension', async (_, error) => {
  const requestContext = () => {
    throw error;
  };
  const { feature, lines } = featureOf({ name: 'a', requestContext });
  await expect(feature.extendContext?.(context, requestWith())).rejects.toMatchObject({
    clientCode: 'EXTENSION_FAILED',
    status: 500,
  });
  expect(lines).toMatchObject([{ msg: 'A hook of an extension failed', extension: 'a' }]);
});

function fail(): never {
  throw new Error('It cannot be read.');
}

const emptyOutcome: SingleOutcome = {
  kind: 'single',
  data: undefined,
  errors: undefined,
  extensions: undefined,
  caching: undefined,
};

test('a long number in the keys of onResponse keeps its digits', async () => {
  const text = '{"n":9007199254740993}';
  const onResponse = () => parseExactJson(text) as Readonly<Record<string, unknown>>;
  const { feature } = featureOf({ name: 'a', onResponse });
  const request = requestWith();
  await feature.extendContext?.(context, request);
  const execute = feature.decorateExecution?.(async () => emptyOutcome);
  const outcome = (await execute?.(request, supergraph)) as SingleOutcome;
  expect(JSON.stringify(outcome.extensions)).toBe(text);
});

test('what onResponse writes into its event changes neither the response nor what other extensions get', async () => {
  const seen: unknown[] = [];
  const onResponse = ({ errors, extensions }: ResponseEvent): void => {
    seen.push(structuredClone([errors, extensions]));
    Object.assign(errors[0] as object, { message: 'changed' });
    (errors as unknown[]).push({ message: 'added' });
    Object.assign(extensions?.a as object, { b: 2 });
  };
  const { feature } = featureOf({ name: 'first', onResponse }, { name: 'second', onResponse });
  const request = requestWith();
  await feature.extendContext?.(context, request);
  const outcome = { ...emptyOutcome, errors: [{ message: 'no' }], extensions: { a: { b: 1 } } };
  expect(await feature.decorateExecution?.(async () => outcome)(request, supergraph)).toBe(outcome);
  const original = [[{ message: 'no' }], { a: { b: 1 } }];
  expect([[outcome.errors, outcome.extensions], ...seen]).toEqual([original, original, original]);
});

describe('a hook that does not end', () => {
  const message = (hook: string) =>
    `The extension "a" did not end its hook ${hook} in time (subgraphs.all.timeouts.deadline).`;

  test('fails the request at its deadline: requestContext', async () => {
    const { feature, timers } = featureOf({ name: 'a', requestContext: endless });
    const extended = feature.extendContext?.(
      { ...context, deadline: performance.now() + 60_000 },
      requestWith(),
    );
    const [delay] = timers.pendingMs();
    expect(delay).toBeGreaterThan(50_000);
    timers.fire(delay as number);
    await expect(extended).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      message: message('requestContext'),
    });
  });

  test('fails the request after the time of a request: onResponse, decidePolicies', async () => {
    const { feature, timers } = featureOf({
      name: 'a',
      onResponse: endless,
      decidePolicies: () => endless() as never,
    });
    const { deadline } = config.subgraphs.all.timeouts;
    const request = requestWith();
    await feature.extendContext?.(context, request);
    const execute = feature.decorateExecution?.(async () => emptyOutcome);
    const answered = execute?.(request, supergraph);
    await timers.waitForTimer(deadline);
    timers.fire(deadline);
    await expect(answered).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      message: message('onResponse'),
    });
    const decided = feature.decidePolicies?.({
      policies: [],
      claims: undefined,
      headers: new Map(),
      requestId: 'r1',
    });
    timers.fire(deadline);
    await expect(decided).rejects.toMatchObject({ message: message('decidePolicies') });
  });

  test.each(['onSubgraphRequest', 'onSubgraphResponse'] as const)(
    'fails the call after half of an attempt, before its subgraph is to blame: %s',
    async (hook) => {
      const { feature, timers, lines } = featureOf({ name: 'a', [hook]: endless });
      const call = { subgraph: 'reviews', url: 'http://a', requestId: 'r1', headers: [], body: '' };
      const ended =
        hook === 'onSubgraphRequest'
          ? feature.callHooks?.beforeSend?.(call)
          : feature.callHooks?.afterResponse?.({ ...call, status: 200, headers: {} }, async () => undefined);
      timers.fire(1_000);
      await expect(ended).rejects.toMatchObject({
        code: 'EXTENSION_FAILED',
        subgraph: 'reviews',
        message: `The extension "a" did not end its hook ${hook} in time (half of timeouts.attempt).`,
      });
      expect(lines).toMatchObject([
        {
          msg: 'A hook of an extension did not end in time',
          extension: 'a',
          hook,
          subgraph: 'reviews',
          requestId: 'r1',
        },
      ]);
    },
  );

  test('ends when the client disconnects', async () => {
    const { feature, lines } = featureOf({ name: 'a', requestContext: endless });
    const client = new AbortController();
    const extended = feature.extendContext?.(context, requestWith(client.signal));
    client.abort();
    await expect(extended).rejects.toMatchObject({ code: 'REQUEST_ABORTED' });
    expect(lines).toEqual([]);
  });

  test('does not keep the gateway from closing, in reverse order, and leaves a second to the others', async () => {
    const closed: string[] = [];
    const { feature, timers, lines } = featureOf(
      { name: 'first', close: () => void closed.push('first') },
      { name: 'a', close: endless },
      { name: 'last', close: async () => void closed.push('last') },
    );
    const end = feature.close(6_000);
    // One for the last extension, which closes, and one for the extension that does not.
    await timers.waitForTimer(6_000);
    await timers.waitForTimer(6_000);
    timers.fire(6_000);
    await timers.waitForTimer(1_000);
    await end;
    expect(closed).toEqual(['last', 'first']);
    expect(lines).toMatchObject([
      { extension: 'a', err: { message: expect.stringContaining('listen.drainTimeout') } },
    ]);
  });

  test('refuses the supergraph after a minute: admitSupergraph', async () => {
    const { feature, timers } = featureOf({ name: 'a', admitSupergraph: endless });
    const admitted = feature.admitSupergraph(supergraph, undefined, new AbortController().signal);
    timers.fire(60_000);
    await expect(admitted).rejects.toThrow(
      'The extension "a" refuses the supergraph: The extension "a" did not end its hook admitSupergraph in time (60 s).',
    );
  });

  test('does not keep a superseded supergraph waiting', async () => {
    const { feature } = featureOf({ name: 'a', admitSupergraph: endless });
    const superseded = new AbortController();
    const admitted = feature.admitSupergraph(supergraph, undefined, superseded.signal);
    superseded.abort();
    await expect(admitted).rejects.toThrow('The extension "a" refuses the supergraph');
  });
});

test.each([
  ['without text', Object.create(null)],
  ['whose message cannot be read', Object.defineProperty(new Error(), 'message', { get: () => fail() })],
])('admitSupergraph that throws a value %s refuses the supergraph', async (_, thrown) => {
  const admitSupergraph = (): never => {
    throw thrown;
  };
  const { feature } = featureOf({ name: 'a', admitSupergraph });
  await expect(feature.admitSupergraph(supergraph, undefined, new AbortController().signal)).rejects.toThrow(
    'The extension "a" refuses the supergraph: a value without a message',
  );
});

test('admitSupergraph gets the supergraph and the id of the one before', async () => {
  let seen: unknown;
  const { feature } = featureOf({
    name: 'a',
    admitSupergraph: (loaded) => {
      seen = loaded;
    },
  });
  const { signal } = new AbortController();
  await feature.admitSupergraph(supergraph, { ...supergraph, id: 'before' }, signal);
  const { id, sdl, apiSchema: schema } = supergraph;
  const subgraphs = [{ name: 'a', url: 'http://a' }];
  expect(seen).toEqual({ id, sdl, schema, subgraphs, previousId: 'before', signal });
});

describe('decidePolicies', () => {
  const request = { policies: ['a', 'b'], claims: undefined, headers: new Map(), requestId: 'r1' };

  test('grants what any extension grants', async () => {
    const { feature } = featureOf(
      { name: 'one', decidePolicies: ({ policies }) => (policies as string[]).splice(1) },
      { name: 'two', decidePolicies: async ({ policies }) => policies.slice(0, 1) },
    );
    expect(await feature.decidePolicies?.(request)).toEqual(['b', 'a']);
    expect(request.policies).toEqual(['a', 'b']);
  });

  test.each([undefined, true, 'a', new Set(['a'])])(
    'rejects with EXTENSION_FAILED when an extension returns no list: %p',
    async (returned) => {
      const { feature, lines } = featureOf({ name: 'one', decidePolicies: () => returned as never });
      await expect(feature.decidePolicies?.(request)).rejects.toMatchObject({ code: 'EXTENSION_FAILED' });
      expect(lines).toMatchObject([
        { err: { message: 'decidePolicies returned something that is not a list of names.' } },
      ]);
    },
  );

  test('rejects with EXTENSION_FAILED when an extension throws', async () => {
    const { feature, lines } = featureOf({
      name: 'one',
      decidePolicies: () => {
        throw new Error('no directory');
      },
    });
    await expect(feature.decidePolicies?.(request)).rejects.toMatchObject({ code: 'EXTENSION_FAILED' });
    expect(lines).toMatchObject([
      { extension: 'one', hook: 'decidePolicies', err: { message: 'no directory' } },
    ]);
  });
});
