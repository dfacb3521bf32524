import { describe, expect, test } from '@jest/globals';
import { checkCrossSectionRules } from '../../../gateway/config/checkCrossSectionRules.ts';
import { findConfigProblems, parseConfig } from '../../../gateway/config/parseConfig.ts';

const supergraph = { file: 'supergraph.graphql' };
const byCallback = { subscription: { protocol: 'http_callback' } };

describe('the configuration of HTTP callbacks', () => {
  test.each(['0.0.0.0', '::'])('needs listen.publicUrl when listen.host is %s', (host) => {
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

  test('needs no listen.publicUrl when listen.host is a single address', () => {
    expect(checkCrossSectionRules({ supergraph, subgraphs: { all: byCallback } })).toEqual([]);
    expect(
      checkCrossSectionRules({ supergraph, subgraphs: { all: byCallback }, listen: { host: '10.0.0.1' } }),
    ).toEqual([]);
  });

  test.each([2, 'auto'])('is valid with %p workers', (workers) => {
    expect(checkCrossSectionRules({ supergraph, workers, subgraphs: { all: byCallback } })).toEqual([]);
  });
});

describe('listen.publicUrl', () => {
  test('may have a path', () => {
    const publicUrl = 'https://graph.example/tributary/';
    expect(parseConfig({ supergraph, listen: { publicUrl } }).listen.publicUrl).toBe(publicUrl);
    expect(parseConfig({ supergraph }).listen.publicUrl).toBe('');
  });

  test.each(['gateway:4000', 'ftp://gateway', 'http://', 'http://gateway/?a', 'http://gateway/#a', 7])(
    'cannot be %j',
    (publicUrl) => {
      expect(findConfigProblems({ supergraph, listen: { publicUrl } })).toEqual([
        {
          path: 'listen.publicUrl',
          // What follows ? and # may be a secret.
          message: /[?#]/.test(String(publicUrl)) ? 'is invalid' : `is ${JSON.stringify(publicUrl)}`,
          expected: 'an http:// or https:// address without ? and #, or nothing',
        },
      ]);
    },
  );
});
