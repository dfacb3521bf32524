import { expect, test } from '@jest/globals';
import { reportValidationFailures } from '../../../../gateway/subgraphs/policies/reportValidationFailures.ts';
import { applySendPolicies } from '../../../../gateway/subgraphs/policies/sendPolicies.ts';
import type { Send, SendPolicy, SubgraphResponse } from '../../../../gateway/subgraphs/subgraphClient.ts';
import { sendRequest } from '../clientFixture.ts';

const request: Parameters<Send>[0] = {
  subgraph: 'reviews',
  body: '{}',
  kind: 'query',
  headers: { key: '', pairs: [] },
  sharingKey: '',
  isDeferred: false,
  priority: 'primary',
  requestId: 'r1',
  deadline: Number.POSITIVE_INFINITY,
};

function respondWith(errors: SubgraphResponse['errors']): Send {
  return (_, receiver) => {
    queueMicrotask(() =>
      receiver.onResponse({
        data: null,
        errors,
        extensions: undefined,
        cacheControl: undefined,
        age: undefined,
        isEscapeFree: true,
      }),
    );
    return () => {};
  };
}

test('the first policy of the list is the outermost', async () => {
  const log: string[] = [];
  const policy =
    (name: string): SendPolicy =>
    (next) =>
    (...call) => {
      log.push(name);
      return next(...call);
    };
  const send = applySendPolicies(respondWith(undefined), [policy('outer'), policy('inner')]);
  await sendRequest({ send }, request).outcome;
  expect(log).toEqual(['outer', 'inner']);
});

test('validation failures of a subgraph are reported, and the response still reaches the receiver', async () => {
  const failures: string[] = [];
  const policy = reportValidationFailures({
    onFailure: (subgraph, message) => failures.push(`${subgraph}: ${message}`),
    onRequestError: () => failures.push('request error'),
  });
  const invalid = { message: 'no such field', extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } };
  const uncoded = { message: 'no such field', isRequestError: true } as const;
  for (const errors of [[invalid], [uncoded], [{ message: 'other' }], undefined]) {
    const { outcome } = sendRequest({ send: applySendPolicies(respondWith(errors), [policy]) }, request);
    expect(await outcome).toMatchObject({ errors });
  }
  expect(failures).toEqual(['reviews: no such field', 'request error']);
});
