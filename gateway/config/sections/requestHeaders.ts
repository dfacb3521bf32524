import { z } from 'zod';
import { isHeaderValue, text } from '../scalars.ts';
import { headerName } from './headerName.ts';

const name =
  'the name of a header, except headers of the connection and the body such as host and content-type';

/** Headers by name that the gateway sends with a request of its own. Their values are secrets. */
export const requestHeaders = z
  .record(
    z.string().refine((key) => headerName.safeParse(key).success, name),
    text({
      title: 'secret',
      expected: 'a header value: text without line breaks',
      isValid: (value) => value !== '' && isHeaderValue(value),
    }),
  )
  .meta({ title: 'value by header' });
