import { scalar } from '../scalars.ts';

const connectionHeaders = new Set([
  'accept',
  'accept-encoding',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The name of a client's header, in lower case in the result. */
export const headerName = scalar<string, string>({
  title: 'header name',
  expected: 'the name of a header that does not belong to the connection or the body',
  read: (input) => {
    if (typeof input !== 'string' || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(input)) return undefined;
    const name = input.toLowerCase();
    return connectionHeaders.has(name) ? undefined : name;
  },
  editorSchemas: [{ type: 'string' }],
});
