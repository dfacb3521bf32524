import { z } from 'zod';
import { pemFile } from '../scalars.ts';

export const listenTls = z
  .strictObject({
    cert: pemFile()
      .describe(
        'PEM file with the certificate of the public listener, and with those between it and its authority. Turns TLS on. A relative path starts at the directory of the configuration file.',
      )
      .prefault(''),
    key: pemFile().describe('PEM file with the private key of `cert`, without a passphrase.').prefault(''),
    ca: pemFile()
      .describe(
        'PEM file with the certificate authorities of clients. Clients without a certificate that one of them has signed cannot connect. Empty: no certificates of clients.',
      )
      .prefault(''),
  })
  .superRefine((section, { issues }) => {
    const { cert, key, ca } = section;
    const report = (problem: string, expected: string): void => {
      issues.push({ code: 'custom', input: section, message: expected, params: { problem } });
    };
    if ((cert === '') !== (key === '')) {
      const [given, missing] = cert === '' ? ['key', 'cert'] : ['cert', 'key'];
      report(`has \`${given}\` without \`${missing}\``, 'both of them, or neither');
    } else if (ca !== '' && cert === '') {
      report('has `ca` without `cert`', 'a certificate of the listener (`cert`, `key`) as well');
    }
  })
  .describe(
    'TLS for clients, with HTTP/2. The files are read again when they change; open connections stay. The admin listener has no TLS.',
  )
  .prefault({});
