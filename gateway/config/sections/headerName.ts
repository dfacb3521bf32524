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

/** The name of a client header. The parsed value is in lower case. */
export const headerName = scalar<string, string>({
  title: 'header name',
  expected: 'a header name, except headers of the connection and the body such as host and content-type',
  read: (input) => {
    if (typeof input !== 'string' || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(input)) return undefined;
    const name = input.toLowerCase();
    return connectionHeaders.has(name) ? undefined : name;
  },
  editorSchemas: [{ type: 'string' }],
});
