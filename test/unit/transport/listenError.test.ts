import { expect, test } from '@jest/globals';
import { toListenError } from '../../../gateway/transport/http/listenError.ts';

const errorWith = (code: string) => Object.assign(new Error(code), { code, syscall: 'listen' });

test('a port that needs permission is reported with its option and the remedies, and keeps its code', () => {
  const cause = errorWith('EACCES');
  expect(toListenError(cause, { option: 'admin.port', host: '::1', port: 80 })).toMatchObject({
    message:
      '[::1]:80 needs permission to listen on ports below 1024. Give the process the capability CAP_NET_BIND_SERVICE, or choose another port with admin.port.',
    code: 'EACCES',
    syscall: 'listen',
    cause,
  });
});

test('other errors of a listener stay as they are', () => {
  const error = errorWith('EADDRNOTAVAIL');
  expect(toListenError(error, { option: 'listen.port', host: '192.0.2.1', port: 80 })).toBe(error);
});
