import { describe, expect, test } from '@jest/globals';
import { type AcceptedFormats, negotiateFormats } from '../../../gateway/transport/http/negotiateFormats.ts';

const json = 'application/json';
const graphqlResponse = 'application/graphql-response+json';
const legacy = 'deferSpec=20220824';
const current = 'incrementalSpec=v0.2';

describe('negotiateFormats', () => {
  const rows: [string | undefined, AcceptedFormats['single'], AcceptedFormats['incremental']][] = [
    [undefined, json, undefined],
    ['', json, undefined],
    ['*/*', json, undefined],
    ['application/*', json, undefined],
    ['image/png', undefined, undefined],
    ['nonsense', undefined, undefined],
    ['application/json;q=0', undefined, undefined],
    ['application/json;q=0, */*', graphqlResponse, undefined],
    ['application/json;charset=utf-16', undefined, undefined],
    ['application/json; charset="UTF-8"', json, undefined],
    [`${graphqlResponse}, ${json};q=0.9`, graphqlResponse, undefined],
    [`${json};q=0.9, ${graphqlResponse}`, graphqlResponse, undefined],
    [`${json};q=0.9 , ${graphqlResponse} ; Q=0.8`, json, undefined],
    [`*/*, ${graphqlResponse}`, graphqlResponse, undefined],
    ['multipart/mixed', undefined, legacy],
    ['multipart/*', undefined, legacy],
    [`multipart/mixed, ${json}`, json, legacy],
    [`multipart/mixed;deferSpec=20220824,${json}`, json, legacy],
    [`multipart/mixed;incrementalSpec=v0.2,${json}`, json, current],
    [`Multipart/Mixed ; boundary="a,b;c" ; DEFERSPEC="20220824", ${json}`, json, legacy],
    [`multipart/mixed;boundary="\\",x";incrementalSpec="v0.2"`, undefined, current],
    ['multipart/mixed;deferSpec=20220824, multipart/mixed;incrementalSpec=v0.2', undefined, legacy],
    ['multipart/mixed;incrementalSpec=v0.2, multipart/mixed;deferSpec=20220824', undefined, current],
    ['multipart/mixed;deferSpec=20220824;q=0.5, multipart/mixed;incrementalSpec=v0.2', undefined, current],
    ['multipart/mixed, multipart/mixed;incrementalSpec=v0.2', undefined, current],
    ['multipart/mixed;deferSpec=19990101', undefined, undefined],
    [`multipart/mixed;q=0, ${json}`, json, undefined],
    [
      `multipart/mixed;boundary=graphql;subscriptionSpec=1.0,${graphqlResponse},${json};q=0.9`,
      graphqlResponse,
      undefined,
    ],
    [`multipart/mixed;subscriptionSpec="1.0", multipart/mixed;deferSpec=20220824, ${json}`, json, legacy],
    [
      `${graphqlResponse}, application/graphql+json, ${json}, text/event-stream, multipart/mixed`,
      graphqlResponse,
      legacy,
    ],
    [`${json};q=high`, json, undefined],
  ];
  test.each(rows)(
    'chooses for accept "%s" the media type %s for complete responses and %s for incremental ones',
    (accept, single, incremental) => {
      expect(negotiateFormats(accept)).toMatchObject({ single, incremental, prefersHtml: false });
    },
  );

  test('prefers the HTML page only when text/html ranks before JSON', () => {
    const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8';
    expect(
      [browser, '*/*', 'text/html;q=0.5, application/json', 'application/json, text/html'].map(
        (accept) => negotiateFormats(accept).prefersHtml,
      ),
    ).toEqual([true, false, false, false]);
  });

  const events = 'text/event-stream';
  const apollo = 'multipart/mixed;subscriptionSpec=1.0';
  const urql = `${graphqlResponse}, application/graphql+json, ${json}, ${events}, multipart/mixed`;
  const streams: [string, boolean, AcceptedFormats['subscription'], AcceptedFormats['incremental']][] = [
    [events, true, events, legacy],
    [`${events};incrementalSpec=v0.2`, true, events, current],
    [`${events}, multipart/mixed;incrementalSpec=v0.2`, true, events, current],
    [`${events}, multipart/mixed`, true, events, legacy],
    [urql, false, events, legacy],
    [`${events}, ${json}`, true, events, legacy],
    [`${json}, ${events}`, false, events, undefined],
    [`${json};q=0.9, ${events}`, true, events, legacy],
    [`${events};q=0.5, multipart/mixed;deferSpec=20220824`, false, events, legacy],
    [`${events};q=0`, false, undefined, undefined],
    ['text/*', false, undefined, undefined],
    ['*/*', false, undefined, undefined],
    ['multipart/mixed', false, undefined, legacy],
    [
      `multipart/mixed;boundary=graphql;subscriptionSpec=1.0,${graphqlResponse},${json};q=0.9`,
      false,
      apollo,
      undefined,
    ],
    ['multipart/mixed; SUBSCRIPTIONSPEC="1.0"', false, apollo, undefined],
    ['multipart/mixed;subscriptionSpec=2.0', false, undefined, undefined],
    [`${apollo}, ${events}`, true, apollo, legacy],
    [`${apollo};q=0.9, ${events}`, true, events, legacy],
  ];
  test.each(streams)(
    'chooses for accept "%s": events %s, subscriptions as %s, incremental responses as %s',
    (accept, ...expected) => {
      const { prefersEvents, subscription, incremental } = negotiateFormats(accept);
      expect([prefersEvents, subscription, incremental]).toEqual(expected);
    },
  );
});
