import { expect, test } from '@jest/globals';
import { toListenError } from '../../../gateway/transport/http/listenError.ts';

const errorWith = (code: string) => Object.assign(new Error(code), { code, syscall: 'listen' });

test('a port that needs permission is reported with its option and the remedies, and keeps its code', () => {
  const cause = errorWith('EACCES');
  expect(toListenError(cause, { option: 'admin.port', host: '::1', port: 80 })).toMatchObject({
    message:
      '[::1]:80 needs permission to listen on ports below 1024. Give the process the capability CAP_NET_BIND_SERVICE, or choose another port with admin.port or --admin-port.',
    code: 'EACCES',
    syscall: 'listen',
    cause,
  });
});

test.each([
  ['listen.port', 'listen.host or --host'],
  ['admin.port', 'admin.host'],
] as const)('an address of another host at %s is reported with the remedy', (option, setting) => {
  expect(toListenError(errorWith('EADDRNOTAVAIL'), { option, host: '192.0.2.1', port: 80 })).toMatchObject({
    message: `192.0.2.1:80 is not an address of this host. Set ${setting} to one of its addresses.`,
    code: 'EADDRNOTAVAIL',
  });
});

test.each([
  [
    'ENOTFOUND',
    'listen.port',
    'The host name gateway.internal has no address. Set listen.host or --host to an address of this host, or to a name that has one.',
  ],
  [
    'EAI_AGAIN',
    'admin.port',
    'The name server did not answer for the host name gateway.internal (EAI_AGAIN). Try again, or set admin.host to an address of this host.',
  ],
] as const)('a host name without an address is reported with its option: %s', (code, option, message) => {
  const error = errorWith(code);
  expect(toListenError(error, { option, host: 'gateway.internal', port: 80 })).toMatchObject({
    message,
    code,
  });
});

test('other errors of a listener stay as they are', () => {
  const error = errorWith('EMFILE');
  expect(toListenError(error, { option: 'listen.port', host: '192.0.2.1', port: 80 })).toBe(error);
});
