import { expect, test } from '@jest/globals';
import { identityOf } from '../../../gateway/admission/identity.ts';

const tokenOf = (payload: unknown): string =>
  ['{"alg":"none"}', JSON.stringify(payload), 'signature']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');

const bearer = (payload: unknown) => ({ authorization: `Bearer ${tokenOf(payload)}` });

test.each<[string, Parameters<typeof identityOf>[0], Record<string, string>, string | undefined]>([
  ['no source', undefined, { 'x-user': 'u1' }, undefined],
  ['the header', { header: 'x-user' }, { 'x-user': 'u1' }, 'u1'],
  ['no header', { header: 'x-user' }, {}, undefined],
  ['a blank header', { header: 'x-user' }, { 'x-user': ' ' }, undefined],
  ['the claim', { jwtClaim: 'sub' }, bearer({ sub: 'u1' }), 'u1'],
  ['a claim that is a number', { jwtClaim: 'sub' }, bearer({ sub: 7 }), '7'],
  ['letters beyond ASCII', { jwtClaim: 'sub' }, bearer({ sub: 'ü1' }), 'ü1'],
  [
    'a scheme in other letters',
    { jwtClaim: 'sub' },
    { authorization: `bEARER  ${tokenOf({ sub: 'u1' })} ` },
    'u1',
  ],
  ['no such claim', { jwtClaim: 'sub' }, bearer({ name: 'u1' }), undefined],
  ['a claim that is a list', { jwtClaim: 'sub' }, bearer({ sub: ['u1'] }), undefined],
  ['a claim that is null', { jwtClaim: 'sub' }, bearer({ sub: null }), undefined],
  ['an empty claim', { jwtClaim: 'sub' }, bearer({ sub: '' }), undefined],
  ['a name that every object has', { jwtClaim: 'constructor' }, bearer({}), undefined],
  ['a payload that is no object', { jwtClaim: 'length' }, bearer('u1'), undefined],
  ['a payload that is null', { jwtClaim: 'sub' }, bearer(null), undefined],
  ['a payload that is no JSON', { jwtClaim: 'sub' }, { authorization: 'Bearer a.b.c' }, undefined],
  ['an opaque token', { jwtClaim: 'sub' }, { authorization: 'Bearer abc' }, undefined],
  [
    'an encrypted token',
    { jwtClaim: 'sub' },
    { authorization: `Bearer ${tokenOf({ sub: 'u1' })}.x.y` },
    undefined,
  ],
  ['another scheme', { jwtClaim: 'sub' }, { authorization: `Basic ${tokenOf({ sub: 'u1' })}` }, undefined],
  ['no authorization', { jwtClaim: 'sub' }, {}, undefined],
])('whose a request is: %s', (_, source, headers, expected) => {
  expect(identityOf(source, new Map(Object.entries(headers)))).toBe(expected);
});
