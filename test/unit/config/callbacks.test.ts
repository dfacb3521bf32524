import { describe, expect, test } from '@jest/globals';
import { checkCrossSectionRules } from '../../../gateway/config/checkCrossSectionRules.ts';
import { findConfigProblems, parseConfig } from '../../../gateway/config/parseConfig.ts';

const supergraph = { file: 'supergraph.graphql' };
const byCallback = { subscription: { protocol: 'http_callback' } };

describe('subscriptions by HTTP callback', () => {
  test.each(['0.0.0.0', '::'])('need a public address where the gateway listens on %s', (host) => {
    const subgraphs = { all: {}, reviews: byCallback };
    expect(checkCrossSectionRules({ supergraph, subgraphs, listen: { host } })).toEqual([
      {
        path: 'listen.publicUrl',
        message: `is empty, listen.host is ${host}, and subgraphs.reviews.subscription.protocol is http_callback`,
        expected: 'the address at which subgraphs reach this listener, such as http://gateway:4000',
      },
    ]);
    const listen = { host, publicUrl: 'http://gateway:4000' };
    expect(checkCrossSectionRules({ supergraph, subgraphs, listen })).toEqual([]);
    expect(checkCrossSectionRules({ supergraph, listen: { host } })).toEqual([]);
  });

  test('need none where the host is an address', () => {
    expect(checkCrossSectionRules({ supergraph, subgraphs: { all: byCallback } })).toEqual([]);
    expect(
      checkCrossSectionRules({ supergraph, subgraphs: { all: byCallback }, listen: { host: '10.0.0.1' } }),
    ).toEqual([]);
  });

  test.each([2, 'auto'])('go with %p workers', (workers) => {
    expect(checkCrossSectionRules({ supergraph, workers, subgraphs: { all: byCallback } })).toEqual([]);
  });
});

describe('the public address', () => {
  test('may have a path', () => {
    const publicUrl = 'https://graph.example/tributary/';
    expect(parseConfig({ supergraph, listen: { publicUrl } }).listen.publicUrl).toBe(publicUrl);
    expect(parseConfig({ supergraph }).listen.publicUrl).toBe('');
  });

  test.each(['gateway:4000', 'ftp://gateway', 'http://', 'http://gateway/?a=1', 'http://gateway/#a', 7])(
    'cannot be %j',
    (publicUrl) => {
      expect(findConfigProblems({ supergraph, listen: { publicUrl } })).toEqual([
        {
          path: 'listen.publicUrl',
          message: `is ${JSON.stringify(publicUrl)}`,
          expected: 'an http:// or https:// address without ? and #, or nothing',
        },
      ]);
    },
  );
});
