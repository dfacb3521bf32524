import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { signatureHeaderOf } from '../../../gateway/subgraphs/requestSignature.ts';

test('the example in docs/headers.md accepts the signature of the gateway, and no other', async () => {
  const page = await readFile(join(import.meta.dirname, '../../../docs/headers.md'), 'utf8');
  const [, example = ''] = /^```js\n([\s\S]*?)^```$/m.exec(page) ?? [];
  const { isSigned } = await import(`data:text/javascript,${encodeURIComponent(example)}`);
  const body = '{"query":"{ größe }"}';
  const [header, signature] = signatureHeaderOf({ secret: 'secret', header: 'x-sig' }, body);
  expect(header).toBe('x-sig');
  expect(isSigned(Buffer.from(body), signature, 'secret')).toBe(true);
  expect(isSigned(Buffer.from(`${body} `), signature, 'secret')).toBe(false);
  expect(isSigned(Buffer.from(body), signature, 'another')).toBe(false);
  expect(isSigned(Buffer.from(body), signature.slice(0, -1), 'secret')).toBe(false);
  expect(isSigned(Buffer.from(body), undefined, 'secret')).toBe(false);
});
