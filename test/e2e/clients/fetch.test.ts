import { describe, expect, test } from '@jest/globals';
import {
  primaryProduct,
  productQuery,
  productVariables,
  recommended,
  recommendedError,
  startGatedDemo,
} from '../../harness/gatedDemo.ts';

function send(url: string, accept: string): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { accept, 'content-type': 'application/json' },
    body: JSON.stringify({ query: productQuery, variables: productVariables }),
  });
}

/** Reads a body as text and stores all of it for comparison. */
class BodyText {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = '';

  constructor(response: Response) {
    if (response.body === null) throw new Error('The answer has no body.');
    this.#reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Resolves to the text read so far when it matches. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#text)) {
      if (!(await this.#readMore())) throw new Error(`Ended without ${pattern}: ${this.#text}`);
    }
    return this.#text;
  }

  async whole(): Promise<string> {
    while (await this.#readMore());
    return this.#text;
  }

  async #readMore(): Promise<boolean> {
    const { done, value = '' } = await this.#reader.read();
    this.#text += value;
    return !done;
  }
}

/** The lines of a body. Lines with JSON are parsed, because the order of keys is not significant. */
function linesOf(body: string): unknown[] {
  return body.split('\r\n').map((line) => (line.startsWith('{') ? JSON.parse(line) : line));
}

/** A part with the delimiter after it: clients process a part when they read the delimiter. */
const firstPart = /\}\r\n---/;
const partHead = ['content-type: application/json; charset=utf-8', ''];

const formats = [
  {
    accept: 'multipart/mixed;deferSpec=20220824, application/json',
    contentType: 'multipart/mixed; boundary="-"; deferSpec=20220824',
    first: { data: { product: primaryProduct }, hasNext: true },
    arrived: {
      incremental: [{ path: ['product'], label: 'recommendations', data: { recommended } }],
      hasNext: false,
    },
    failed: {
      incremental: [
        {
          path: ['product'],
          label: 'recommendations',
          data: { recommended: null },
          errors: [recommendedError],
        },
      ],
      hasNext: false,
    },
  },
  {
    accept: 'multipart/mixed;incrementalSpec=v0.2, application/json',
    contentType: 'multipart/mixed; boundary="-"; incrementalSpec=v0.2',
    first: {
      data: { product: primaryProduct },
      pending: [{ id: '0', path: ['product'], label: 'recommendations' }],
      hasNext: true,
    },
    arrived: { incremental: [{ id: '0', data: { recommended } }], completed: [{ id: '0' }], hasNext: false },
    failed: {
      incremental: [{ id: '0', data: { recommended: null }, errors: [recommendedError] }],
      completed: [{ id: '0' }],
      hasNext: false,
    },
  },
] as const;

describe.each(formats)('fetch with $accept', ({ accept, contentType, first, arrived, failed }) => {
  test('reads the first part with its delimiter while the deferred fragment is pending', async () => {
    await using shop = await startGatedDemo();
    const response = await send(shop.url, accept);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, contentType]);

    const body = new BodyText(response);
    const start = await body.until(firstPart);
    expect(linesOf(start.trimEnd())).toEqual(['', '---', ...partHead, first, '---']);
    shop.release();
    expect(linesOf(await body.whole())).toEqual([
      '',
      '---',
      ...partHead,
      first,
      '---',
      ...partHead,
      arrived,
      '-----',
      '',
    ]);
  });

  test('reads the error of a failed deferred fragment and the closing delimiter', async () => {
    await using shop = await startGatedDemo({ isFailing: true });
    const body = new BodyText(await send(shop.url, accept));

    await body.until(firstPart);
    shop.release();
    expect(linesOf(await body.whole())).toEqual([
      '',
      '---',
      ...partHead,
      first,
      '---',
      ...partHead,
      failed,
      '-----',
      '',
    ]);
  });
});

describe('fetch with application/json only', () => {
  test('reads one complete response to an operation with @defer', async () => {
    await using shop = await startGatedDemo();
    shop.release();
    const response = await send(shop.url, 'application/json');

    expect([response.status, response.headers.get('content-type'), await response.json()]).toEqual([
      200,
      'application/json; charset=utf-8',
      { data: { product: { ...primaryProduct, recommended } } },
    ]);
  });
});
