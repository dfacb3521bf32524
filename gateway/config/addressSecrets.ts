const mask = '***';

/** Whether a URL has a user name or a password. False for text that is no URL. */
export function hasCredentials(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { username, password } = new URL(address);
  return username !== '' || password !== '';
}

/** A URL for logs and messages: without the values of its user name, password, query parameters and fragment. Text that is
 *  no URL is returned as it is. */
export function maskSecrets(address: string): string {
  if (!URL.canParse(address)) return address;
  const url = new URL(address);
  if (!hasCredentials(address) && url.search === '' && url.hash === '') return address;
  if (url.username !== '') url.username = mask;
  if (url.password !== '') url.password = mask;
  for (const name of [...url.searchParams.keys()]) url.searchParams.set(name, mask);
  if (url.hash !== '') url.hash = mask;
  return url.href;
}
