import { describe, expect, test } from '@jest/globals';
import { modeOf, productHref } from '../../../storefront/page/routes.ts';

describe('the loading mode in the URL', () => {
  test.each(['wait', 'graph', 'page'] as const)('is read as it was written: %s', (mode) => {
    expect(modeOf(new URL(productHref('p 1', mode), 'http://shop').search)).toBe(mode);
  });

  test('is that of the graph if it is missing or unknown', () => {
    expect(['', '?mode=', '?mode=fast', '?other=wait'].map(modeOf)).toEqual([
      'graph',
      'graph',
      'graph',
      'graph',
    ]);
  });
});
