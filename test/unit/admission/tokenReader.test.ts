import { expect, test } from '@jest/globals';
import { createTokenReader } from '../../../gateway/admission/authentication/tokenReader.ts';

const read = (headers: Record<string, string>, header = 'authorization', cookie = 'session') =>
  createTokenReader({ header, cookie })(new Map(Object.entries(headers)));

test.each<[string, Record<string, string>, string | undefined]>([
  ['no header and no cookie', {}, undefined],
  ['a bearer token', { authorization: 'Bearer a.b.c' }, 'a.b.c'],
  ['a scheme in another letter case and spaces', { authorization: ' bEARER   a.b.c ' }, 'a.b.c'],
  ['a scheme without a token', { authorization: 'Bearer' }, ''],
  ['two tokens', { authorization: 'Bearer a.b.c, Bearer d.e.f' }, 'a.b.c, Bearer d.e.f'],
  ['another scheme', { authorization: 'Basic YTpi' }, undefined],
  ['a scheme that begins with the word', { authorization: 'BearerToken a' }, undefined],
  ['a cookie among others', { cookie: 'sessions=x; session=a.b.c; other=y' }, 'a.b.c'],
  ['a quoted cookie', { cookie: 'session="a.b.c"' }, 'a.b.c'],
  ['an empty cookie', { cookie: 'session=' }, undefined],
  ['two cookies of the name', { cookie: 'session=first; session=second' }, 'first'],
  ['a header and a cookie', { authorization: 'Bearer header', cookie: 'session=cookie' }, 'header'],
  ['another scheme and a cookie', { authorization: 'Basic YTpi', cookie: 'session=cookie' }, 'cookie'],
])('the token of a request with %s', (_, headers, expected) => {
  expect(read(headers)).toBe(expected);
});

test('a header of another name has the token with or without its scheme', () => {
  expect(read({ 'x-token': 'a.b.c' }, 'x-token')).toBe('a.b.c');
  expect(read({ 'x-token': 'Bearer a.b.c' }, 'x-token')).toBe('a.b.c');
  expect(read({ 'x-token': '', authorization: 'Bearer a.b.c' }, 'x-token')).toBeUndefined();
});

test('a cookie is read only if its name is configured', () => {
  expect(read({ cookie: '=a.b.c; session=a.b.c' }, 'authorization', '')).toBeUndefined();
});
